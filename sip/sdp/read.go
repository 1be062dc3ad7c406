package sdp

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Description is what there is to know of a session description: no more is read of it, so nothing else can
// spoil it. Lines may stand in any order, end with CRLF or LF, or be missing (RFC 8866 §5 has it stricter).
type Description struct {
	Origin  string    // of o=
	Session Section   // what stands before the first m= line, and holds for all sections
	Media   []Section // in their order
}

// Section is one media section, or the session's part.
type Section struct {
	Media      string   // "audio", in lower case; "" of the session's part
	Port       int      // 0: refused, or unreadable
	Proto      string   // "RTP/AVP", as on the wire
	Formats    []string // payload types of an RTP profile
	Addresses  []string // values of the c= lines
	Attributes []Attribute
}

// Attribute is one a= line: of "rtpmap:8 PCMA/8000" the key is "rtpmap". Keys of crypto, fingerprint and
// candidate are among them.
type Attribute struct{ Key, Value string }

// maxMedia bounds the sections of a description, and so the length of its answer.
const maxMedia = 64

var (
	errEmpty   = errors.New("empty")
	errNoMedia = errors.New("no media section")
	errLines   = errors.New("lines end with neither CRLF nor LF")
	errVersion = errors.New("version is not 0")
	errTooMany = errors.New("too many media sections")
)

// Parse reads a description. The error is a *SyntaxError: it is empty, of another version, or says nothing of
// media.
func Parse(body []byte) (*Description, error) {
	text := strings.TrimPrefix(string(body), "\uFEFF")
	switch {
	case text == "":
		return nil, &SyntaxError{errEmpty}
	case strings.Contains(text, "\r") && !strings.Contains(text, "\n"):
		return nil, &SyntaxError{errLines}
	}
	d := &Description{}
	s := &d.Session
	for text != "" {
		end := strings.IndexAny(text, "\r\n")
		if end < 0 {
			end = len(text)
		}
		line := strings.Trim(text[:end], " \t\v\f\x00")
		text = text[min(end+1, len(text)):]
		kind, value := splitLine(line)
		switch kind {
		case 'v':
			if value != "0" {
				return nil, &SyntaxError{errVersion}
			}
		case 'o':
			d.Origin = value
		case 'c':
			s.Addresses = append(s.Addresses, value)
		case 'm':
			if len(d.Media) == maxMedia {
				return nil, &SyntaxError{errTooMany}
			}
			d.Media = append(d.Media, mediaSection(value))
			s = &d.Media[len(d.Media)-1]
		case 'a', 0:
			if value != "" {
				s.Attributes = append(s.Attributes, attribute(value))
			}
		}
	}
	if len(d.Media) == 0 {
		return nil, &SyntaxError{errNoMedia}
	}
	return d, nil
}

// splitLine returns the type of a line and its value; of a line without a type, 0 and the whole: an attribute
// that lost its "a=" may be a restriction.
func splitLine(line string) (kind byte, value string) {
	before, after, ok := strings.Cut(line, "=")
	before = strings.TrimSpace(before)
	if !ok || len(before) != 1 {
		return 0, line
	}
	return before[0] | 0x20, strings.TrimSpace(after) // the types are letters: in lower case
}

func attribute(s string) Attribute {
	key, value, _ := strings.Cut(s, ":")
	return Attribute{strings.TrimSpace(key), strings.TrimSpace(value)}
}

// mediaSection reads an m= line: media, port, protocol, formats. What is missing is empty: the section still
// has its place, and its answer (RFC 3264 §6).
func mediaSection(value string) (s Section) {
	fields := strings.Fields(value)
	if len(fields) > 0 {
		s.Media = strings.ToLower(fields[0])
	}
	if len(fields) > 1 {
		port, _, _ := strings.Cut(fields[1], "/")
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			s.Port = int(n)
		}
	}
	if len(fields) > 2 {
		s.Proto, s.Formats = fields[2], fields[3:]
	}
	return s
}

// Attr returns the value of the first attribute of that key, in any case.
func (s *Section) Attr(key string) (value string, ok bool) {
	for _, a := range s.Attributes {
		if strings.EqualFold(a.Key, key) {
			return a.Value, true
		}
	}
	return "", false
}

// codecs lists the payload formats of a section in its order, and its format of telephone-event: that of the
// 8000 Hz clock which all voice codecs here have, else the first (PayloadType 0: none).
func (s *Section) codecs() (list []Codec, events Codec) {
	maps := map[uint8]Codec{0: {"PCMU", 8000, 0}, 8: {"PCMA", 8000, 8}, 9: {"G722", 8000, 9}} // RFC 3551 §6
	for _, a := range s.Attributes {
		if strings.EqualFold(a.Key, "rtpmap") {
			if c, ok := rtpmap(a.Value); ok {
				maps[c.PayloadType] = c
			}
		}
	}
	for _, f := range s.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		c, ok := maps[uint8(n)]
		switch {
		case err != nil || !ok:
		case c.Name != "TELEPHONE-EVENT":
			list = append(list, c)
		case events.PayloadType == 0 || events.ClockRate != 8000 && c.ClockRate == 8000:
			events = c
		}
	}
	return list, events
}

// rtpmap reads "8 PCMA/8000/1" (RFC 8866 §6.6). Some leave the rate out.
func rtpmap(s string) (Codec, bool) {
	pt, rest := number(s)
	name, rate, _ := strings.Cut(rest, "/")
	hz, channels := number(rate)
	n, err := strconv.ParseUint(pt, 10, 7)
	name = strings.ToUpper(strings.TrimSpace(name))
	if i := strings.IndexAny(name, " \t;"); i >= 0 {
		name = name[:i]
	}
	if err != nil || name == "" {
		return Codec{}, false
	}
	c := Codec{name, 8000, uint8(n)}
	if hz != "" {
		if c.ClockRate, err = strconv.Atoi(hz); err != nil {
			return Codec{}, false
		}
	}
	if c.Name == "G722" && c.ClockRate == 16000 {
		c.ClockRate = 8000 // RFC 3551 §4.5.2: the clock is 8000 Hz whatever the sampling rate is
	}
	if ch, _ := number(strings.TrimPrefix(channels, "/")); ch != "" && ch != "1" {
		c.Name += "/" + ch // another format, for the log
	}
	return c, true
}

// number cuts the digits off at the start of s, and the space around them.
func number(s string) (digits, rest string) {
	s = strings.TrimSpace(s)
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return s[:n], strings.TrimSpace(s[n:])
}

// place is where a section's media goes.
type place struct {
	addr netip.Addr // invalid where there is a name
	name string
	held bool // nothing may be sent there: the hold of RFC 2543
}

// place returns the address of section i: its own c= line, else the session's, else what o= shows, which is
// most often the same.
func (d *Description) place(i int) (place, bool) {
	for _, lines := range [][]string{d.Media[i].Addresses, d.Session.Addresses, {lastFields(d.Origin)}} {
		var first *place
		held := false
		for _, line := range lines {
			if p, ok := address(line); ok {
				if first == nil {
					first = &p
				}
				held = held || p.held
			}
		}
		if first != nil {
			first.held = held
			return *first, true
		}
	}
	return place{}, false
}

// lastFields returns the part of an o= line that is built as a c= line is.
func lastFields(origin string) string {
	f := strings.Fields(origin)
	return strings.Join(f[max(0, len(f)-3):], " ")
}

// address reads "IN IP4 192.0.2.1", also with brackets, a time to live or a zone behind the address.
func address(line string) (p place, ok bool) {
	f := strings.Fields(line)
	f = slices.DeleteFunc(f, func(s string) bool {
		return strings.EqualFold(s, "IN") || strings.EqualFold(s, "IP4") || strings.EqualFold(s, "IP6")
	})
	if len(f) == 0 {
		return place{}, false
	}
	text, _, _ := strings.Cut(strings.Trim(f[0], "[]"), "/")
	text, _, _ = strings.Cut(strings.TrimSuffix(text, "]"), "%")
	if a, err := netip.ParseAddr(text); err == nil {
		return place{addr: a.Unmap(), held: a.Unmap().IsUnspecified()}, true
	}
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	if !isName(name) {
		return place{}, false
	}
	// A name under .invalid is for IPv6 what 0.0.0.0 is for IPv4 (RFC 3725).
	return place{name: name, held: strings.HasSuffix("."+name, ".invalid")}, true
}

func isName(s string) bool {
	letters := false
	for _, c := range s {
		letter := 'a' <= c && c <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
		letters = letters || letter
	}
	return letters && len(s) <= 253
}
