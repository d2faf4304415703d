package otlp

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxDepth bounds how deep values may be nested in values. pdata decodes them
// by recursion without a bound: a body of 16 MB that is nothing but lists in
// lists was measured to overflow the stack, which no recover can catch, so that
// one request would end the process.
const maxDepth = 128

// fields are, for each type of message on the way to a value, its fields that
// are messages on that way.
var fields = map[string]map[protowire.Number]string{
	"logs":          {1: "resource logs"},
	"resource logs": {1: "resource", 2: "scope logs"},
	"resource":      {1: "attribute"},
	"scope logs":    {1: "scope", 2: "record"},
	"scope":         {3: "attribute"},
	"record":        {5: "value", 6: "attribute"},
	"attribute":     {2: "value"},
	"value":         {5: "list", 6: "map"},
	"list":          {1: "value"},
	"map":           {1: "attribute"},
}

// checkDepth walks a request without recursion. A body that it does not
// understand is left to the decoder to refuse.
func checkDepth(body []byte) error {
	type frame struct {
		of   map[protowire.Number]string
		rest []byte
	}
	stack := []frame{{fields["logs"], body}}
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		if len(f.rest) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		number, kind, n := protowire.ConsumeTag(f.rest)
		if n < 0 {
			return fmt.Errorf("body: %w", protowire.ParseError(n))
		}
		f.rest = f.rest[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, f.rest); n < 0 {
				return fmt.Errorf("body: %w", protowire.ParseError(n))
			}
			f.rest = f.rest[n:]
			continue
		}
		inner, n := protowire.ConsumeBytes(f.rest)
		if n < 0 {
			return fmt.Errorf("body: %w", protowire.ParseError(n))
		}
		f.rest = f.rest[n:]
		next, ok := fields[f.of[number]]
		if !ok {
			continue
		}
		if len(stack) == maxDepth {
			return fmt.Errorf("body: values are nested in values more than %d deep", maxDepth)
		}
		stack = append(stack, frame{next, inner})
	}
	return nil
}
