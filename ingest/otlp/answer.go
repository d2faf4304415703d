package otlp

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
)

// Codes of google.rpc.Status.
const (
	codeInvalid     = 3
	codeUnavailable = 14
)

var protobuf = encoding{"application/x-protobuf", unmarshalProto, protoStatus, protoResponse}

var jsonEncoding = encoding{"application/json", unmarshalJSON, jsonStatus, jsonResponse}

// protoResponse is an ExportLogsServiceResponse; full success is empty.
func protoResponse(rejected int64, message string) []byte {
	if rejected == 0 {
		return nil
	}
	partial := protowire.AppendTag(nil, 1, protowire.VarintType)
	partial = protowire.AppendVarint(partial, uint64(rejected))
	partial = appendText(partial, 2, message)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
}

func protoStatus(code int32, message string) []byte {
	b := protowire.AppendTag(nil, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(code))
	return appendText(b, 2, message)
}

// appendText writes a field of type string, which must be UTF-8; the message
// may quote what the sender wrote.
func appendText(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), strings.ToValidUTF8(s, "\uFFFD"))
}

func jsonResponse(rejected int64, message string) []byte {
	if rejected == 0 {
		return []byte("{}")
	}
	// 64-bit numbers are texts in OTLP/JSON.
	return []byte(`{"partialSuccess":{"rejectedLogRecords":"` + strconv.FormatInt(rejected, 10) + `","errorMessage":` + quote(message) + `}}`)
}

func jsonStatus(code int32, message string) []byte {
	return []byte(`{"code":` + strconv.Itoa(int(code)) + `,"message":` + quote(message) + `}`)
}

func quote(s string) string {
	b, err := json.Marshal(s, jsontext.AllowInvalidUTF8(true))
	if err != nil { // no text is beyond writing once its UTF-8 may be mended
		return `""`
	}
	return string(b)
}
