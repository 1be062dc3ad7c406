package sip

import "strconv"

// Warning is the value of a Warning header (RFC 3261 §20.43): why a request was refused, for people.
type Warning struct {
	Code  int // 300 to 399
	Agent string
	Text  string
}

// String returns w as on the wire.
func (w Warning) String() string {
	b := strconv.AppendInt(nil, int64(w.Code), 10)
	b = append(b, ' ')
	b = append(b, w.Agent...)
	b = append(b, ' ')
	return string(appendQuoted(b, w.Text))
}
