package sip

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Headers holds the header fields of a message: those that every element reads as typed values, the others as
// text.
type Headers struct {
	Via         []Via
	From, To    Address
	CallID      string
	CSeq        CSeq
	MaxForwards int // -1: absent
	Expires     int // seconds; -1: absent
	Contact     []Address
	Route       []Address
	RecordRoute []Address
	ContentType string   // "" without a body
	Other       []Header // the rest, in the order of the message; Name in its canonical form

	// Odd tells what Parse passed over, for a log: at most maxOdd short texts. It is never written.
	Odd []string
}

// CSeq is the value of a CSeq header (RFC 3261 §20.16).
type CSeq struct {
	Seq    uint32
	Method string
}

// Header is one header field that has no typed form.
type Header struct{ Name, Value string }

// Get returns the value of the first field of that name in Other, in any case or compact form; "" without
// one. Typed fields are not found.
func (h *Headers) Get(name string) string {
	_, _, name = lookupName(name)
	for i := range h.Other {
		if equalFold(h.Other[i].Name, name) {
			return h.Other[i].Value
		}
	}
	return ""
}

// Values returns the values of all fields of that name in Other, one per line of the message.
func (h *Headers) Values(name string) (values []string) {
	_, _, name = lookupName(name)
	for i := range h.Other {
		if equalFold(h.Other[i].Name, name) {
			values = append(values, h.Other[i].Value)
		}
	}
	return values
}

// Add appends a field to Other. The names of typed fields, Content-Length and names that are no token are
// refused: nothing is added, since a second From or Content-Length would make two messages of one.
func (h *Headers) Add(name, value string) {
	if id, _, name := lookupName(name); id == fieldOther && isToken(name) {
		h.Other = append(h.Other, Header{name, value})
	}
}

// Set replaces the first field of that name in Other, deletes further ones, or adds it as Add does.
func (h *Headers) Set(name, value string) {
	_, _, name = lookupName(name)
	for i := range h.Other {
		if equalFold(h.Other[i].Name, name) {
			h.Other[i].Value = value
			tail := slices.DeleteFunc(h.Other[i+1:], func(o Header) bool { return equalFold(o.Name, name) })
			h.Other = h.Other[:i+1+len(tail)]
			return
		}
	}
	h.Add(name, value)
}

// Del deletes all fields of that name from Other.
func (h *Headers) Del(name string) {
	_, _, name = lookupName(name)
	h.Other = slices.DeleteFunc(h.Other, func(o Header) bool { return equalFold(o.Name, name) })
}

// Tokens yields the elements of a comma-separated list (Supported, Require, Allow), trimmed, without empty
// ones. Commas in quoted strings do not separate.
func Tokens(value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for from, i := 0, 0; i <= len(value); i++ {
			if i < len(value) && value[i] == '"' {
				if end := quotedEnd(value, i); end > 0 {
					i = end - 1
				}
			}
			if i == len(value) || value[i] == ',' {
				if t := trimSpace(value[from:i]); t != "" && !yield(t) {
					return
				}
				from = i + 1
			}
		}
	}
}

// field tells the header fields that have a typed form.
type field uint8

const (
	fieldOther field = iota
	fieldVia
	fieldFrom
	fieldTo
	fieldCallID
	fieldCSeq
	fieldMaxForwards
	fieldExpires
	fieldContact
	fieldRoute
	fieldRecordRoute
	fieldContentType
	fieldContentLength
)

type headerName struct {
	text string
	id   field
}

// headerNames holds the names that the parser gives in canonical form; those with a typed form and the
// frequent ones come first.
var headerNames = []headerName{
	{"Via", fieldVia}, {"From", fieldFrom}, {"To", fieldTo}, {"Call-ID", fieldCallID}, {"CSeq", fieldCSeq},
	{"Max-Forwards", fieldMaxForwards}, {"Expires", fieldExpires}, {"Contact", fieldContact},
	{"Route", fieldRoute},
	{"Record-Route", fieldRecordRoute}, {"Content-Type", fieldContentType},
	{"Content-Length", fieldContentLength},
	{text: "Allow"}, {text: "Supported"}, {text: "User-Agent"}, {text: "Server"}, {text: "Authorization"},
	{text: "Proxy-Authorization"}, {text: "WWW-Authenticate"}, {text: "Proxy-Authenticate"}, {text: "Accept"},
	{text: "Accept-Contact"}, {text: "Accept-Encoding"}, {text: "Accept-Language"}, {text: "Alert-Info"},
	{text: "Allow-Events"},
	{text: "Authentication-Info"}, {text: "Call-Info"}, {text: "Content-Disposition"},
	{text: "Content-Encoding"},
	{text: "Content-Language"}, {text: "Date"}, {text: "Diversion"}, {text: "Error-Info"}, {text: "Event"},
	{text: "Flow-Timer"}, {text: "Identity"}, {text: "Identity-Info"}, {text: "In-Reply-To"},
	{text: "Info-Package"},
	{text: "MIME-Version"}, {text: "Min-Expires"}, {text: "Min-SE"}, {text: "Organization"},
	{text: "P-Asserted-Identity"},
	{text: "P-Associated-URI"}, {text: "P-Preferred-Identity"}, {text: "Path"}, {text: "Priority"},
	{text: "Privacy"},
	{text: "Proxy-Require"}, {text: "RAck"}, {text: "RSeq"}, {text: "Reason"}, {text: "Recv-Info"},
	{text: "Refer-To"},
	{text: "Referred-By"}, {text: "Reject-Contact"}, {text: "Remote-Party-ID"}, {text: "Replaces"},
	{text: "Reply-To"},
	{text: "Request-Disposition"}, {text: "Require"}, {text: "Retry-After"}, {text: "SIP-ETag"},
	{text: "SIP-If-Match"},
	{text: "Service-Route"}, {text: "Session-Expires"}, {text: "Subject"}, {text: "Subscription-State"},
	{text: "Timestamp"},
	{text: "Unsupported"}, {text: "Warning"},
}

// compactForms maps the letters of IANA's SIP header field registry.
var compactForms = ['z' + 1]string{
	'a': "Accept-Contact", 'b': "Referred-By", 'c': "Content-Type", 'd': "Request-Disposition",
	'e': "Content-Encoding",
	'f': "From", 'i': "Call-ID", 'j': "Reject-Contact", 'k': "Supported", 'l': "Content-Length",
	'm': "Contact",
	'n': "Identity-Info", 'o': "Event", 'r': "Refer-To", 's': "Subject", 't': "To", 'u': "Allow-Events",
	'v': "Via",
	'x': "Session-Expires", 'y': "Identity",
}

// byLength holds headerNames by length: what is left to compare is a handful.
var byLength = func() (t [24][]headerName) {
	for _, n := range headerNames {
		t[len(n.text)] = append(t[len(n.text)], n)
	}
	return t
}()

// lookupName returns the typed field of a header name and its canonical form: a name that is not known stays
// as it is.
func lookupName(s string) (id field, known bool, canonical string) {
	if len(s) == 1 {
		if c := lower(s[0]); c <= 'z' && compactForms[c] != "" {
			s = compactForms[c]
		}
	}
	if len(s) >= len(byLength) {
		return fieldOther, false, s
	}
	candidates := byLength[len(s)]
	for i := range candidates {
		if candidates[i].text == s {
			return candidates[i].id, true, candidates[i].text
		}
	}
	for i := range candidates {
		if equalFold(candidates[i].text, s) {
			return candidates[i].id, true, candidates[i].text
		}
	}
	return fieldOther, false, s
}

// DeltaSeconds writes a duration as a header has it (§25.1), rounded up: what lasts a moment yet is never
// told as 0.
func DeltaSeconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// MediaType returns the type and subtype of a Content-Type in lower case, without parameters (§20.15).
func MediaType(contentType string) string {
	m, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(m))
}
