package sdp

import "strings"

// Direction is a stream's direction from the view of who states it (RFC 3264 §5.1).
type Direction string

// The directions.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

var directions = [...]Direction{SendRecv, SendOnly, RecvOnly, Inactive}

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

func direction(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}

// and returns what both allow.
func (d Direction) and(e Direction) Direction {
	return direction(d.sends() && e.sends(), d.receives() && e.receives())
}

// direction returns what section i states, else the session's part, else the default (RFC 8866 §6.7).
func (d *Description) direction(i int) Direction {
	for _, s := range []*Section{&d.Media[i], &d.Session} {
		if stated, ok := s.direction(); ok {
			return stated
		}
	}
	return SendRecv
}

// direction returns what all statements of one level allow: the microphone is never opened by the looser one.
func (s *Section) direction() (all Direction, ok bool) {
	all = SendRecv
	for _, a := range s.Attributes {
		if stated, is := a.direction(); is {
			all, ok = all.and(stated), true
		}
	}
	return all, ok
}

// direction reads an attribute that states a direction. One of the four words counts with whatever trails it;
// a word that is only like one of them is a restriction that cannot be read, and counts as inactive.
func (a Attribute) direction() (d Direction, ok bool) {
	text := strings.ToLower(a.Key + ":" + a.Value)
	text = strings.TrimLeftFunc(text, func(r rune) bool { return r < 'a' || r > 'z' })
	d = SendRecv
	for _, word := range directions {
		ok = ok || strings.HasPrefix(text, string(word))
		if strings.Contains(text, string(word)) {
			d = d.and(word)
		}
	}
	if ok {
		return d, true
	}
	key, _, _ := strings.Cut(text, ":")
	key = strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, key)
	for _, word := range directions {
		if key != "" && key[0] == word[0] && within(key, string(word), 2) || strings.HasPrefix(key, string(word)) {
			return Inactive, true
		}
	}
	return "", false
}

// within reports whether at most n letters must be added, left out or changed to make b of a.
func within(a, b string, n int) bool {
	switch {
	case n < 0:
		return false
	case a == "" || b == "":
		return len(a)+len(b) <= n
	case a[0] == b[0]:
		return within(a[1:], b[1:], n)
	}
	return within(a[1:], b, n-1) || within(a, b[1:], n-1) || within(a[1:], b[1:], n-1)
}
