package simulate

import (
	"strconv"
	"strings"
)

// appendText appends what an alert says. The numbers in it differ each time it
// fires.
func (w *World) appendText(dst []byte, e *episode) []byte {
	text := w.lib.alarms[e.alarm].text
	// A field that stands twice in a text is the same number.
	h := mix(mix(w.opts.Seed, uint64(e.ci)<<16|uint64(e.alarm)), uint64(e.start))
	for {
		before, rest, ok := strings.Cut(text, "{")
		dst = append(dst, before...)
		if !ok {
			return dst
		}
		var field string
		field, text, _ = strings.Cut(rest, "}")
		dst = w.appendField(dst, field, e, mix(h, uint64(field[0])<<8|uint64(len(field))))
	}
}

// appendField appends what stands for {field}.
func (w *World) appendField(dst []byte, field string, e *episode, h uint64) []byte {
	number := func(low, high uint64) []byte { return strconv.AppendUint(dst, low+h%(high-low+1), 10) }
	switch field {
	case "ci":
		return append(dst, w.estate.items[e.ci].id...)
	case "app":
		return append(dst, w.estate.appOf(e.ci)...)
	case "peer":
		if e.peer == none {
			return append(dst, "its neighbour"...)
		}
		return append(dst, w.estate.items[e.peer].id...)
	case "ip":
		return append(dst, w.estate.address(e.ci)...)
	case "port":
		return append(dst, port(e)...)
	case "pct":
		return strconv.AppendFloat(dst, float64(5+h%94)+float64(h>>8%10)/10, 'f', 1, 64)
	case "x":
		return strconv.AppendFloat(dst, 2+float64(h%180)/10, 'f', 1, 64)
	case "ms":
		return number(250, 9800)
	case "limit":
		return append(dst, []string{"200", "500", "1000"}[uint64(e.ci)%3]...)
	case "m":
		return number(100, 25_000)
	case "mb":
		return number(12, 4000)
	case "min":
		return number(2, 30)
	case "sec":
		return number(15, 240)
	case "deg":
		return number(24, 48)
	case "build":
		return strconv.AppendUint(dst, 0x100000+h%0xefffff, 16)
	default: // "n"
		return number(2, 60)
	}
}

// port names the interface of a device that leads to the neighbour in question.
func port(e *episode) string {
	h := mix(uint64(e.ci), uint64(e.peer)+1)
	return "xe-0/" + strconv.FormatUint(h%4, 10) + "/" + strconv.FormatUint(h>>8%48, 10)
}

// appOf is what people call a CI: its application where it has one.
func (e *estate) appOf(ci int32) string {
	if app := e.items[ci].app; app != "" {
		return app
	}
	return e.items[ci].id
}

// labels gives the labels of an alert one by one, in a fixed order. None of
// them says more than a monitoring system knows.
func (w *World) labels(e *episode, label func(key, value string)) {
	it := &w.estate.items[e.ci]
	label("alertname", w.lib.alarms[e.alarm].name)
	label("env", environments[it.env])
	if it.site != none {
		label("site", w.estate.items[it.site].id)
	}
	if it.group != none {
		label("cluster", w.estate.items[it.group].id)
	}
	if it.space != none {
		label("namespace", w.estate.items[it.space].app)
	}
	switch it.class {
	case service, database, cache, queue:
		label("service", it.app)
	case deployment:
		label("service", it.app)
		label("deployment", it.app)
	case pod:
		label("service", it.app)
		label("pod", it.id)
	case node, server, virtualMachine:
		label("instance", it.id+":9100")
		label("job", "node")
	case router, switchDevice, firewall, accessPoint:
		label("device", it.id)
		label("job", "snmp")
		if strings.Contains(w.lib.alarms[e.alarm].text, "{port}") {
			label("interface", port(e))
		}
	default:
		label("ci", it.id)
	}
}
