// Package file reads an estate from YAML, JSON and CSV.
//
// It is strict, because a relation that is silently left out looks like
// redundancy: unknown fields, wrong types, unknown ends and identities given
// twice are mistakes, and all of them are reported at once with
// file:line:column. Columns count bytes in JSON and CSV, characters in YAML.
//
// Our form, in YAML or JSON:
//
//	cis:
//	  - id: web-1
//	    class: server
//	    name: Web 1
//	    keys: {fqdn: web-1.example.com, ip: [10.0.0.1, "2001:db8::1"]}
//	    attributes: {rack: r7, cores: 16}
//	    owner: team-web
//	    environment: production
//	    criticality: high          # critical, high, medium or low
//	relations:
//	  - {from: checkout, to: web-1, type: runs_on, group: web, need: 2}
//
// From needs to. The plain form {"cis":[{"id","type","attributes"}],
// "edges":[{"from","to","type"}]} has the same meaning; its type is the class.
// As it has no place for identities, those of a CI with a type and no keys are
// taken from its attributes called name, fqdn, hostname, host, ip, mac, serial
// and cloud_id.
//
// Attributes that are numbers or booleans become text as they are written, an
// object becomes one attribute for each of its fields ("disk.size"), a list
// becomes JSON text, and null counts as absent.
//
// In CSV a header row names the columns: id, class, name, owner, environment,
// criticality, key.KIND and attr.NAME for CIs (several values of a key stand
// between "|"), or from, to, type, group and need for relations. Both may be in
// one file: a new header row begins the other kind of rows. Cells are separated
// by commas, or by semicolons or tabs when the header is.
//
// JSON and CSV are streamed; of YAML the whole document is held in memory, so
// JSON is the form for estates of millions.
//
// Parsers are pure functions of their input, safe to call from several
// goroutines, and give a result or an error, never both.
package file
