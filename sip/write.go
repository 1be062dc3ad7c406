package sip

import (
	"bytes"
	"strconv"
)

// Append writes the request (RFC 3261 §7): long names, Content-Length by Body. No value can end its line: CR
// and LF in it become spaces. It allocates nothing when b has the room.
func (r *Request) Append(b []byte) []byte {
	start := len(b)
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = r.URI.Append(b)
	b = append(b, " SIP/2.0"...)
	b = endLine(b, start)
	return r.Headers.append(b, r.Body)
}

// String returns the request as on the wire.
func (r *Request) String() string { return string(r.Append(nil)) }

// Append writes the response as Request.Append does.
func (r *Response) Append(b []byte) []byte {
	start := len(b)
	b = append(b, "SIP/2.0 "...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	b = append(b, r.Reason...)
	b = endLine(b, start)
	return r.Headers.append(b, r.Body)
}

// String returns the response as on the wire.
func (r *Response) String() string { return string(r.Append(nil)) }

// endLine ends the line that begins at start. It is the one place that ends a line, so that no value can.
func endLine(b []byte, start int) []byte {
	if line := b[start:]; bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, '\r') >= 0 {
		for i, c := range line {
			if c == '\r' || c == '\n' {
				line[i] = ' '
			}
		}
	}
	return append(b, '\r', '\n')
}

func (h *Headers) append(b []byte, body []byte) []byte {
	for i := range h.Via {
		start := len(b)
		b = append(b, "Via: "...)
		b = h.Via[i].Append(b)
		b = endLine(b, start)
	}
	b = appendAddresses(b, "Route: ", h.Route)
	b = appendAddresses(b, "Record-Route: ", h.RecordRoute)
	if h.MaxForwards >= 0 {
		b = appendNumber(b, "Max-Forwards: ", h.MaxForwards)
	}
	b = appendAddress(b, "From: ", &h.From)
	b = appendAddress(b, "To: ", &h.To)
	b = appendText(b, "Call-ID", h.CallID)
	start := len(b)
	b = append(b, "CSeq: "...)
	b = strconv.AppendUint(b, uint64(h.CSeq.Seq), 10)
	b = append(b, ' ')
	b = append(b, h.CSeq.Method...)
	b = endLine(b, start)
	b = appendAddresses(b, "Contact: ", h.Contact)
	if h.Expires >= 0 {
		b = appendNumber(b, "Expires: ", h.Expires)
	}
	for i := range h.Other {
		b = appendText(b, h.Other[i].Name, h.Other[i].Value)
	}
	if h.ContentType != "" {
		b = appendText(b, "Content-Type", h.ContentType)
	}
	b = appendNumber(b, "Content-Length: ", len(body))
	b = append(b, '\r', '\n')
	return append(b, body...)
}

func appendNumber(b []byte, name string, n int) []byte {
	b = append(b, name...)
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, '\r', '\n')
}

func appendAddresses(b []byte, name string, list []Address) []byte {
	for i := range list {
		b = appendAddress(b, name, &list[i])
	}
	return b
}

func appendAddress(b []byte, name string, a *Address) []byte {
	start := len(b)
	b = append(b, name...)
	b = a.Append(b)
	return endLine(b, start)
}

func appendText(b []byte, name, value string) []byte {
	start := len(b)
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return endLine(b, start)
}
