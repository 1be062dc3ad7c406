package sdp

import (
	"fmt"
	"strings"
)

// write writes a description of ours: its head and the sections, each ready with its lines.
func (l *Local) write(media []string) []byte {
	kind := "IP4"
	addr := l.Addr.Addr().Unmap().WithZone("")
	if addr.Is6() {
		kind = "IP6"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN %s %s\r\n", l.id, l.version, kind, addr)
	fmt.Fprintf(&b, "s=-\r\nc=IN %s %s\r\nt=0 0\r\n", kind, addr)
	for _, m := range media {
		b.WriteString(m)
	}
	return []byte(b.String())
}

// media writes our section; proto is the offer's, or "RTP/AVP".
func (l *Local) media(proto string, list []Codec, events Codec, dir Direction, mid string) string {
	var formats, lines strings.Builder
	codec := func(c Codec) {
		fmt.Fprintf(&formats, " %d", c.PayloadType)
		fmt.Fprintf(&lines, "a=rtpmap:%d %s/%d\r\n", c.PayloadType, c.Name, c.ClockRate)
	}
	for _, c := range list {
		codec(c)
	}
	if events.PayloadType != 0 {
		events.Name = "telephone-event"
		codec(events)
		fmt.Fprintf(&lines, "a=fmtp:%d 0-15\r\n", events.PayloadType)
	}
	ptime := l.PTime
	if ptime == 0 {
		ptime = 20
	}
	fmt.Fprintf(&lines, "a=ptime:%d\r\na=%s\r\n", ptime, dir)
	if mid != "" {
		fmt.Fprintf(&lines, "a=mid:%s\r\n", mid)
	}
	return fmt.Sprintf("m=audio %d %s%s\r\n%s", l.Addr.Port(), proto, formats.String(), lines.String())
}

// refuse answers a section that is not wanted (RFC 3264 §6): the same, with port 0.
func refuse(s *Section) string {
	media, proto, formats := s.Media, s.Proto, strings.Join(s.Formats, " ")
	if media == "" {
		media = "audio"
	}
	if proto == "" {
		proto = "RTP/AVP"
	}
	if formats == "" {
		formats = "0" // the grammar wants one
	}
	return fmt.Sprintf("m=%s 0 %s %s\r\n", media, proto, formats)
}
