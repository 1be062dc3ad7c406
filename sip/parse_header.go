package sip

import (
	"fmt"
	"strings"
)

// header reads one header field.
func (p *parser) header(line string) {
	colon := strings.IndexByte(line, ':')
	if colon < 0 {
		p.passField("", line, errNoColon)
		return
	}
	id, known, name := lookupName(trimRight(line[:colon]))
	if !known && !isToken(name) {
		p.passField("", line, errNoColon)
		return
	}
	value := trimSpace(line[colon+1:])
	h := p.headers
	if id == fieldOther {
		if h.Other == nil {
			h.Other = p.room.other[:0]
		}
		h.Other = append(h.Other, Header{name, value})
		return
	}
	list := id == fieldVia || id == fieldContact || id == fieldRoute || id == fieldRecordRoute
	if !list && p.has(id) {
		if p.response || p.first(id) == value {
			p.passField(name, value, errDuplicate)
		} else { // RFC 4475 §3.3.8, §3.3.9: which of them counts?
			p.fail(400, "Duplicate "+name, errDuplicate)
		}
		return
	}
	p.seen |= 1 << id
	switch err := p.typed(id, value); {
	case err == nil:
	case p.needs(id) || err == errTooMany && !p.response:
		p.bad |= 1 << id
		p.fail(400, "Bad "+name, fmt.Errorf("%s %q: %w", name, value, err))
	default:
		p.bad |= 1 << id
		p.passField(name, value, err)
	}
}

// passField tells of a field, or of a line without a name, that was passed over.
func (p *parser) passField(name, value string, err error) {
	const most = 80
	if len(p.headers.Odd) < maxOdd {
		p.pass(fmt.Sprintf("%s %q: %v", name, value[:min(len(value), most)], err))
	}
}

// first returns the value that the first field of its kind had.
func (p *parser) first(id field) string {
	again := parser{text: p.text}
	again.line() // the start line
	for {
		line, _ := again.line()
		colon := strings.IndexByte(line, ':')
		if again.pos >= p.pos {
			return ""
		}
		if colon < 0 {
			continue
		}
		if other, _, _ := lookupName(trimRight(line[:colon])); other == id {
			return trimSpace(line[colon+1:])
		}
	}
}

// typed reads the value of a header field that has a typed form.
func (p *parser) typed(id field, value string) error {
	h := p.headers
	switch id {
	case fieldVia:
		return p.vias(value)
	case fieldFrom:
		return p.single(&h.From, value)
	case fieldTo:
		return p.single(&h.To, value)
	case fieldCallID:
		if value == "" { // one with a space in it is as good a name as any
			return errToken
		}
		h.CallID = value
	case fieldCSeq:
		return h.CSeq.parse(value)
	case fieldMaxForwards:
		n, over, ok := digits(value, 255)
		if over || !ok {
			return errNumber
		}
		h.MaxForwards = int(n)
	case fieldExpires:
		h.Expires = parseExpires(value)
	case fieldContact:
		return p.addresses(&h.Contact, p.room.contact[:0], value, true)
	case fieldRoute:
		return p.addresses(&h.Route, p.routeRoom(h.RecordRoute), value, false)
	case fieldRecordRoute:
		return p.addresses(&h.RecordRoute, p.routeRoom(h.Route), value, false)
	case fieldContentType:
		if value == "" {
			return errNoValue
		}
		h.ContentType = value
	case fieldContentLength:
		n, over, ok := digits(value, 1<<31-1)
		if over || !ok {
			return errNumber
		}
		p.length = int(n)
	}
	return nil
}

func (p *parser) routeRoom(taken []Address) []Address {
	if taken != nil {
		return make([]Address, 0, 2)
	}
	return p.room.route[:0]
}

func (c *CSeq) parse(s string) error {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	n, over, ok := digits(s[:i], 1<<32-1) // §8.1.1.5 wants less than 2^31; there are phones that begin above
	if over || !ok {
		return errNumber
	}
	method := skipSpace(s, i)
	if method == i || !isToken(s[method:]) {
		return errToken
	}
	c.Seq, c.Method = uint32(n), s[method:]
	return nil
}

func (p *parser) vias(value string) error {
	h := p.headers
	if h.Via == nil {
		h.Via = p.room.via[:0]
	}
	// A request of another version is refused, but answered.
	anyVersion := p.err != nil && p.err.Status == 505
	for {
		n := len(h.Via)
		if n >= maxValues {
			return errTooMany
		}
		h.Via = append(h.Via, Via{})
		rest, err := h.Via[n].parse(value, anyVersion)
		if err != nil && p.response { // only its branch counts
			if mended, ok := bracketIPv6(value, hostOfVia(value)); ok {
				p.passField("Via", value, err)
				h.Via[n] = Via{}
				rest, err = h.Via[n].parse(mended, false)
			}
		}
		if err != nil {
			h.Via = h.Via[:n]
			return err
		}
		if rest == "" {
			return nil
		}
		value = rest[1:]
	}
}

// hostOfVia returns where the sent-by of a Via begins.
func hostOfVia(s string) int {
	slash := strings.Index(s, "/")
	slash += 1 + strings.Index(s[slash+1:], "/")
	return skipSpace(s, span(s, skipSpace(s, slash+1), charToken))
}

// single reads a From or To. In a response it is an echo: what can be made out of it serves.
func (p *parser) single(a *Address, value string) error {
	rest, err := a.parse(value)
	switch {
	case err != nil:
	case rest != "":
		err = errManyValues
	case a.Star:
		err = errScheme
	default:
		return nil
	}
	if p.response && a.salvage(value) {
		p.passField("", value, err)
		return nil
	}
	*a = Address{}
	return err
}

// addresses reads a comma-separated list; room is where a list begins. It passes over values that cannot be
// read, and returns what was wrong with the last of them.
func (p *parser) addresses(list *[]Address, room []Address, value string, star bool) (odd error) {
	if *list == nil {
		*list = room
	}
	for {
		n := len(*list)
		if n >= maxValues {
			return errTooMany
		}
		*list = append(*list, Address{})
		a := &(*list)[n]
		rest, err := a.parse(value)
		if err == nil && (a.Star && (!star || n > 0 || rest != "") || star && n > 0 && (*list)[0].Star) {
			err = errStar
		}
		if err != nil {
			var text string
			text, rest = cutValue(value)
			if err != errStar && a.salvage(text) {
				p.passField("", text, err)
			} else {
				*a = Address{}
				*list, odd = (*list)[:n], err
			}
		}
		if rest == "" {
			if len(*list) == 0 {
				*list = nil
			}
			return odd
		}
		value = rest[1:]
	}
}

// cutValue cuts a value that cannot be read off a list: up to the next comma outside of quotes and angle
// brackets. What follows is "" or begins with the comma.
func cutValue(s string) (value, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			if end := quotedEnd(s, i); end > 0 {
				i = end - 1
			}
		case '<':
			end := strings.IndexByte(s[i:], '>')
			if end < 0 {
				return s, ""
			}
			i += end
		case ',':
			return s[:i], s[i:]
		}
	}
	return s, ""
}
