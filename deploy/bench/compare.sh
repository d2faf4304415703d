#!/usr/bin/env bash
# Runs Tocsin and Alertmanager in turn under the same load and prints the ratios.
#
# Each round starts both on an empty folder, sends every distinct alert once
# (phase "new") and then again (phase "re-sends"). Rounds alternate who goes
# first, and the ratios are of medians: on a shared machine single rates mean
# little. Alertmanager is built from its Go module into a cache; its web page,
# which the module does not hold, is one line.
#
#   ROUNDS=3 UNIQUE=100000 RESENDS=300000 BATCH=100 CONCURRENCY=4 deploy/bench/compare.sh
#
# TOCSIN and ALERTMANAGER name binaries to use instead of building them,
# OUT a folder for the reports, VISIBLE=0 leaves out POST to incident readable.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

rounds=${ROUNDS:-3} unique=${UNIQUE:-100000} resends=${RESENDS:-300000}
batch=${BATCH:-100} concurrency=${CONCURRENCY:-4}
version=v0.34.2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tocsin-bench
tocsin_port=${TOCSIN_PORT:-19094} alertmanager_port=${ALERTMANAGER_PORT:-19093}

scratch=$(mktemp -d)
server=
cleanup() {
	stop
	rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
out=${OUT:-$scratch/reports}
mkdir -p "$out"

say() { printf 'compare: %s\n' "$*" >&2; }
die() {
	say "$@"
	exit 1
}
listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

stop() {
	[[ -n $server ]] || return 0
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	server=
}

# start NAME PORT COMMAND… runs a server until it takes connections.
start() {
	local name=$1 port=$2
	shift 2
	if listens "$port"; then die "port $port is in use; set TOCSIN_PORT or ALERTMANAGER_PORT"; fi
	"$@" >"$scratch/$name.log" 2>&1 </dev/null &
	server=$!
	for _ in $(seq 300); do
		kill -0 "$server" 2>/dev/null || break
		if listens "$port"; then return 0; fi
		sleep 0.1
	done
	tail -n 20 "$scratch/$name.log" >&2
	die "$name did not start"
}

build_alertmanager() {
	local bin=$cache/alertmanager-$version dir src
	if [[ ! -x $bin ]]; then
		say "building Alertmanager $version into $cache"
		mkdir -p "$cache"
		dir=$(go mod download -json "github.com/prometheus/alertmanager@$version" | sed -nE 's/^\t"Dir": "(.*)",?$/\1/p')
		src=$scratch/alertmanager-src
		cp -r "$dir" "$src"
		chmod -R u+w "$src"
		mkdir -p "$src/ui/app/dist"
		echo '<!doctype html><title>Alertmanager</title>' >"$src/ui/app/dist/index.html"
		(cd "$src" && GOFLAGS=-mod=mod go build -tags netgo -o "$bin.new" ./cmd/alertmanager) >&2
		mv "$bin.new" "$bin"
		rm -rf "$src"
	fi
	echo "$bin"
}

tocsin=${TOCSIN:-}
if [[ -z $tocsin ]]; then
	tocsin=$scratch/tocsin
	go build -o "$tocsin" ./cmd/tocsin
fi
alertmanager=${ALERTMANAGER:-$(build_alertmanager)}
printf 'route: {receiver: nobody}\nreceivers: [{name: nobody}]\n' >"$scratch/alertmanager.yml"

start_tocsin() {
	rm -rf "$scratch/tocsin-data"
	start tocsin "$tocsin_port" "$tocsin" serve --listen "127.0.0.1:$tocsin_port" --data "$scratch/tocsin-data"
}
start_alertmanager() {
	rm -rf "$scratch/alertmanager-data"
	start alertmanager "$alertmanager_port" "$alertmanager" --config.file="$scratch/alertmanager.yml" \
		--storage.path="$scratch/alertmanager-data" --web.listen-address="127.0.0.1:$alertmanager_port" \
		--cluster.listen-address= --log.level=warn
}

# measure NAME PORT ROUND
measure() {
	say "round $3 of $rounds: $1"
	"start_$1"
	"$tocsin" bench --url "http://127.0.0.1:$2/api/v2/alerts" --unique "$unique" --alerts $((unique + resends)) \
		--batch "$batch" --concurrency "$concurrency" --pid "$server" -o json >"$out/$1-$3.json"
	stop
}

for round in $(seq "$rounds"); do
	if ((round % 2)); then
		measure alertmanager "$alertmanager_port" "$round"
		measure tocsin "$tocsin_port" "$round"
	else
		measure tocsin "$tocsin_port" "$round"
		measure alertmanager "$alertmanager_port" "$round"
	fi
done
"$tocsin" bench compare --ours "$out/tocsin-*.json" --theirs "$out/alertmanager-*.json"

if [[ ${VISIBLE:-1} != 0 ]]; then
	say "POST to incident readable, 1,000 new alerts a second"
	start_tocsin
	echo
	"$tocsin" bench --server "http://127.0.0.1:$tocsin_port" --new --alerts 20000 --batch 10 --rate 1000 --measure-visible --pid "$server"
	stop
fi
