package sip

import (
	"fmt"
	"strings"
)

// header reads one header field.
func (p *parser) header(line string) {
	colon := strings.IndexByte(line, ':')
	if colon < 0 {
		p.fail(400, "Bad Header Line", errNoColon)
		return
	}
	id, known, name := lookupName(trimRight(line[:colon]))
	if !known && !isToken(name) {
		p.fail(400, "Bad Header Line", errNoColon)
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
		p.fail(400, "Duplicate "+name, errDuplicate)
		return
	}
	p.seen |= 1 << id
	if err := p.typed(id, value); err != nil {
		p.bad |= 1 << id
		p.fail(400, "Bad "+name, fmt.Errorf("%s %q: %w", name, value, err))
	}
}

// typed reads the value of a header field that has a typed form.
func (p *parser) typed(id field, value string) error {
	h := p.headers
	switch id {
	case fieldVia:
		return p.vias(value)
	case fieldFrom:
		return single(&h.From, value)
	case fieldTo:
		return single(&h.To, value)
	case fieldCallID:
		if value == "" || strings.IndexByte(value, ' ') >= 0 || strings.IndexByte(value, '\t') >= 0 {
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
		return addresses(&h.Contact, p.room.contact[:0], value, true)
	case fieldRoute:
		return addresses(&h.Route, p.routeRoom(h.RecordRoute), value, false)
	case fieldRecordRoute:
		return addresses(&h.RecordRoute, p.routeRoom(h.Route), value, false)
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
	n, over, ok := digits(s[:i], 1<<31-1)
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

// single reads a From or To.
func single(a *Address, value string) error {
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
	*a = Address{}
	return err
}

// addresses reads a comma-separated list; room is where a list begins.
func addresses(list *[]Address, room []Address, value string, star bool) error {
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
			(*list)[n] = Address{}
			*list = (*list)[:n]
			return err
		}
		if rest == "" {
			return nil
		}
		value = rest[1:]
	}
}
