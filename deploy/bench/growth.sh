#!/usr/bin/env bash
# How the cost of an alert grows with what is active and with the estate. Runs the
# engine's benchmarks in turn, takes the median of ROUNDS rounds (3) and prints
# docs/growth.md: tables with a bar for each figure, so that a curve shows.
# It needs four gigabytes of memory and about ten minutes on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rounds=${ROUNDS:-3}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for _ in $(seq "$rounds"); do
  go test ./correlate -run '^$' -bench 'NewAlerts|Resends' -benchtime 100000x >>"$out"
  go test ./correlate -run '^$' -bench 'Estate' -benchtime 20000x >>"$out"
done
awk -v rounds="$rounds" '
  function median(list,   n, a, i, j, t) {
    n = split(list, a, " ")
    for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (a[j] < a[i]) { t = a[i]; a[i] = a[j]; a[j] = t }
    return a[int((n + 1) / 2)]
  }
  function bar(us, most,   i, s) { for (i = 0; i < us / most * 40; i++) s = s "█"; return s }
  function table(title, head, prefix,   i, most, us) {
    printf "\n## %s\n\n| %s | µs per alert | |\n|---|---|---|\n", title, head
    for (i = 1; i <= count; i++) if (index(name[i], prefix) == 1) { us = median(ns[name[i]]) / 1000; if (us > most) most = us }
    for (i = 1; i <= count; i++) if (index(name[i], prefix) == 1) {
      us = median(ns[name[i]]) / 1000
      label = substr(name[i], length(prefix) + 1)
      printf "| %s | %.1f | %s |\n", label == "" ? "any" : label, us, bar(us, most)
    }
  }
  /^Benchmark/ {
    n = $1; sub(/^Benchmark/, "", n); sub(/-[0-9]+$/, "", n)
    if (!(n in ns)) name[++count] = n
    ns[n] = ns[n] " " $3
  }
  END {
    print "# How the cost of an alert grows"
    print ""
    print "Made by `deploy/bench/growth.sh`: medians of " rounds " rounds on a machine with two cores, the engine alone, one core. An alert of the last table goes"
    print "through its whole life: it opens an incident, expires, and the incident resolves and closes."
    table("New alerts, by how many are active", "active", "NewAlerts/active=")
    table("Re-sends", "active", "Resends")
    table("New alerts all over an estate, by its CIs", "CIs", "Estate/cis=")
  }' "$out"
