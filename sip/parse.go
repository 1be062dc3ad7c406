package sip

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Limits of a message; what is beyond them is refused as a whole.
const (
	MaxMessageSize = 64 << 10 // bytes, header and body
	maxHeaders     = 256      // header fields
	maxValues      = 128      // values of one Via, Contact, Route or Record-Route
	maxOdd         = 4        // texts of Headers.Odd
)

// ErrKeepAlive says that there is no message but a keep-alive (RFC 5626 §3.5): CRLFs, NULs or nothing.
var ErrKeepAlive = errors.New("sip: keep-alive")

// ParseError says what is wrong with a message, and how a request is answered.
type ParseError struct {
	Status int    // 400, 505, 513
	Reason string // phrase for the status line
	Err    error
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("sip: parse: %d %s: %v", e.Status, e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Err }

// Parse reads one message: a datagram or what Framer cut out. On success one of the two is non-nil; it holds
// copies, data may be reused. Bytes after Content-Length are ignored (RFC 3261 §18.3); without a
// Content-Length all the rest is the body.
//
// A field that cannot be read is passed over, and told in Headers.Odd, unless the message means nothing
// without it: see parser.needs.
//
// The error is ErrKeepAlive or a *ParseError. A malformed request comes with it when enough is readable to
// answer it with the error's status: Via, From, To, Call-ID and CSeq are right then, all else may be missing.
// (An ACK is never answered.)
func Parse(data []byte) (*Request, *Response, error) {
	for len(data) > 0 && (data[0] == '\r' || data[0] == '\n' || data[0] == 0) {
		data = data[1:] // RFC 3261 §7.5
	}
	if len(data) == 0 {
		return nil, nil, ErrKeepAlive
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	req, res, err := parse(data, "")
	if e, ok := err.(*ParseError); ok && errors.Is(e.Err, errLine) {
		if mended := mendLines(data); mended != nil {
			return parse(mended, errLine.Error())
		}
	}
	return req, res, err
}

const byteOrderMark = "\uFEFF"

// parse is Parse without the mending of lines; odd is what that has to tell.
func parse(data []byte, odd string) (*Request, *Response, error) {
	var p parser
	if len(data) > MaxMessageSize {
		p.fail(513, "Message Too Large", fmt.Errorf("%d bytes", len(data)))
		data = data[:MaxMessageSize]
	}
	header := len(data)
	// without the CR before it, which makes each line's end a candidate; line looks for that
	if end := bytes.Index(data, []byte("\n\r\n")); end >= 0 {
		header = end + len("\n\r\n")
	}
	p.text = string(data[:header])
	line, ok := p.line()
	if !ok {
		return nil, nil, &ParseError{400, "Bad Start Line", errLine}
	}
	if len(line) > 4 && equalFold(line[:4], "SIP/") {
		m := new(parsedResponse)
		p.headers, p.room, p.response = &m.Headers, &m.room, true
		p.pass(odd)
		p.statusLine(&m.Response, line)
		m.Body = p.rest(data)
		if p.err != nil {
			return nil, nil, p.err
		}
		return nil, &m.Response, nil
	}
	m := new(parsedRequest)
	p.headers, p.room = &m.Headers, &m.room
	p.pass(odd)
	p.requestLine(&m.Request, line)
	p.method = m.Method
	m.Body = p.rest(data)
	switch {
	case m.CSeq.Method == m.Method:
	case equalFold(m.CSeq.Method, m.Method):
		m.CSeq.Method = m.Method
	case p.has(fieldCSeq):
		p.fail(400, "CSeq Method Mismatch", fmt.Errorf("%q in %q", m.CSeq.Method, m.Method))
	}
	switch {
	case p.err == nil:
		return &m.Request, nil, nil
	case p.answerable():
		return &m.Request, nil, p.err
	}
	return nil, nil, p.err
}

// A message and the first values of its lists are one allocation; append moves a list out when it outgrows
// its room.
type (
	parsedRequest struct {
		Request
		room
	}
	parsedResponse struct {
		Response
		room
	}
	room struct {
		via     [2]Via
		contact [1]Address
		route   [1]Address // of Route or Record-Route, whichever comes first
		other   [8]Header
	}
)

type parser struct {
	text    string // of the header
	pos     int
	lines   int // with a CRLF each
	headers *Headers
	room    *room
	// of a request; "" before its line was read
	method   string
	response bool
	seen     uint16 // bit per field
	bad      uint16 // of those seen, the ones that could not be read
	length   int    // Content-Length
	err      *ParseError
}

var (
	errLine       = errors.New("line without CRLF, or a lone CR or LF in it")
	errNoEnd      = errors.New("no empty line after the header")
	errNoColon    = errors.New("header field without a name and colon")
	errDuplicate  = errors.New("may occur once only")
	errMissing    = errors.New("mandatory header field is missing")
	errNumber     = errors.New("number invalid or out of range")
	errToken      = errors.New("not a token")
	errStar       = errors.New(`"*" beside other values`)
	errStatusLine = errors.New("not SIP/2.0 SP 3DIGIT SP phrase")
	errSpaces     = errors.New("not method SP Request-URI SP SIP/2.0")
	errVersion    = errors.New("SIP version is not 2.0")
	errURIHeaders = errors.New("header components in the Request-URI")
	errBody       = errors.New("body is shorter than Content-Length")
	errTooMany    = errors.New("too many")
)

// fail keeps the first error; parsing goes on, for the fields that an answer needs.
func (p *parser) fail(status int, reason string, err error) {
	if p.err == nil {
		p.err = &ParseError{status, reason, err}
	}
}

// pass tells of what was passed over.
func (p *parser) pass(what string) {
	if odd := &p.headers.Odd; what != "" && len(*odd) < maxOdd {
		*odd = append(*odd, what)
	}
}

// needs reports whether a message is void where a field of it cannot be read. A response is so only for what
// names its transaction (RFC 3261 §18.3, §8.1.3.3); a request, for what RFC 4475 wants refused besides:
// §3.1.2.3 (Content-Length), §3.1.2.4 (Max-Forwards), and §3.1.2.13, the Contact that a REGISTER is about.
func (p *parser) needs(f field) bool {
	switch f {
	case fieldVia:
		return !p.response || len(p.headers.Via) == 0
	case fieldFrom, fieldTo, fieldCallID, fieldCSeq:
		return true
	case fieldContentLength, fieldMaxForwards:
		return !p.response
	case fieldContact:
		return p.method == REGISTER
	}
	return false
}

func (p *parser) has(f field) bool { return p.seen&(1<<f) != 0 }

// answerable reports whether NewResponse would find all that it copies.
func (p *parser) answerable() bool {
	const need = 1<<fieldVia | 1<<fieldFrom | 1<<fieldTo | 1<<fieldCallID | 1<<fieldCSeq
	return p.seen&need == need && p.bad&need == 0 && !p.hasCR()
}

// hasCR reports whether the lines that were read hold a CR that does not end them.
func (p *parser) hasCR() bool { return strings.Count(p.text[:p.pos], "\r") != p.lines }

// line cuts the next line off, without its CRLF; folded lines are joined by a space (RFC 3261 §7.3.1).
func (p *parser) line() (string, bool) {
	folded := false
	for from, i := p.pos, p.pos; ; {
		n := strings.IndexByte(p.text[i:], '\n')
		if n < 0 {
			p.pos = len(p.text)
			return "", false
		}
		end := i + n
		i = end + 1
		p.pos = i
		if n == 0 || p.text[end-1] != '\r' {
			return "", false
		}
		p.lines++
		if end-1 > from && i < len(p.text) && (p.text[i] == ' ' || p.text[i] == '\t') {
			folded = true
			continue
		}
		line := p.text[from : end-1]
		if folded {
			line = unfold(line)
		}
		return line, true
	}
}

func unfold(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], "\r\n") {
			b = append(b, ' ')
			i = skipSpace(s, i+2)
			continue
		}
		b = append(b, s[i])
		i++
	}
	return string(b)
}

// mendLines rewrites the header of a message whose lines do not all end with CRLF: a response, or a request
// without any CR, in which nobody on the way can have seen other lines. It returns nil where that is not so.
func mendLines(data []byte) []byte {
	response := len(data) > 4 && equalFold(string(data[:4]), "SIP/")
	mended := make([]byte, 0, len(data)+len(data)/16)
	for {
		line, rest, ok := bytes.Cut(data, []byte("\n"))
		text := bytes.TrimRight(line, "\r")
		switch {
		case !ok, !response && bytes.IndexByte(line, '\r') >= 0:
			return nil
		case len(text) == 0:
			return append(append(mended, "\r\n"...), rest...)
		}
		mended = append(mended, bytes.ReplaceAll(text, []byte("\r"), []byte(" "))...)
		mended, data = append(mended, "\r\n"...), rest
	}
}

// requestLine reads Method SP Request-URI SP SIP-Version (RFC 3261 §7.1).
func (p *parser) requestLine(r *Request, line string) {
	method, rest, ok1 := strings.Cut(line, " ")
	uri, version, ok2 := strings.Cut(rest, " ")
	if !isToken(method) {
		p.fail(400, "Bad Request Line", errToken)
		return
	}
	r.Method = method
	if !ok1 || !ok2 || uri == "" || version == "" || strings.IndexByte(version, ' ') >= 0 {
		p.fail(400, "Bad Request Line", errSpaces)
		return
	}
	if version != "SIP/2.0" && !equalFold(version, "SIP/2.0") {
		if len(version) > 4 && equalFold(version[:4], "SIP/") {
			p.fail(505, "Version Not Supported", errVersion)
		} else {
			p.fail(400, "Bad Request Line", errVersion)
		}
		return
	}
	if err := r.URI.parse(uri); err != nil {
		r.URI = URI{}
		p.fail(400, "Bad Request-URI", fmt.Errorf("%q: %w", uri, err))
	} else if r.URI.Headers != "" {
		p.fail(400, "Bad Request-URI", errURIHeaders)
	}
}

// statusLine reads SIP-Version SP Status-Code SP Reason-Phrase (RFC 3261 §7.2); the last SP may be missing
// when there is no phrase.
func (p *parser) statusLine(r *Response, line string) {
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	n, over, ok := digits(code, 699)
	if !equalFold(version, "SIP/2.0") || len(code) != 3 || over || !ok || n < 100 {
		p.fail(400, "Bad Status Line", errStatusLine)
		return
	}
	r.Status, r.Reason = int(n), reason
}

// rest reads the header fields and returns a copy of the body.
func (p *parser) rest(data []byte) []byte {
	p.headers.MaxForwards, p.headers.Expires = -1, -1
	torn := false
	for count := 0; ; count++ {
		line, ok := p.line()
		if ok && line == "" {
			if torn || p.hasCR() {
				p.fail(400, "Bad Header Line", errLine)
				p.seen = 0 // whoever sees other lines sees other fields: nothing to answer with
			}
			break
		}
		if !ok {
			if p.pos < len(p.text) {
				p.fail(400, "Bad Header Line", errLine)
				torn = true
				continue
			}
			p.fail(400, "Incomplete Header", errNoEnd)
			return nil
		}
		if count >= maxHeaders {
			p.fail(513, "Too Many Header Fields", errTooMany)
			return nil
		}
		p.header(line)
	}
	for _, f := range [...]struct {
		id     field
		reason string
	}{
		{fieldVia, "Missing Via"}, {fieldFrom, "Missing From"}, {fieldTo, "Missing To"},
		{fieldCallID, "Missing Call-ID"},
		{fieldCSeq, "Missing CSeq"},
	} {
		if !p.has(f.id) {
			p.fail(400, f.reason, errMissing)
		}
	}
	body := data[p.pos:]
	if p.has(fieldContentLength) && p.bad&(1<<fieldContentLength) == 0 {
		if p.length > len(body) {
			p.fail(400, "Content-Length Too Large", errBody)
			return nil
		}
		body = body[:p.length]
	}
	if len(body) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(body)), body...)
}
