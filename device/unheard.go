package device

import (
	"strconv"
	"strings"
	"time"

	"portero/device/event"
)

// tellUnheard says in one sentence whom the bell has called and why nobody came.
func (s *Station) tellUnheard() {
	v := s.visit
	var list []string
	for i, target := range v.bell.Targets {
		why := "not tried, as the time was over"
		if i < len(v.parties) {
			p := v.parties[i]
			why = p.absence(s.phone.absentSince(p.target.User))
		}
		list = append(list, target+": "+why)
	}
	s.tell(event.Event{Kind: event.BellUnheard, Bell: v.bell.Name, Reason: strings.Join(list, "; ")})
}

// absence is why nobody has answered a call of the bell. since: when its user's last registration ended.
func (p *party) absence(since time.Time) string {
	silent := "no response: is it switched on, and on the network?"
	switch {
	case p.absent && p.status == 182:
		return notRegistered(since)
	case p.absent && p.status == 408:
		return silent
	case p.absent && p.status == 0:
		return p.refusal
	case p.absent:
		return strconv.Itoa(p.status) + " " + p.refusal
	case !p.ended && p.rang, p.refusal == notAnswered && p.rang:
		return "rang, not answered"
	case !p.ended && p.alerts, p.refusal == notAnswered:
		return "reached, did not ring"
	case !p.ended:
		return silent
	case p.status != 0:
		return strconv.Itoa(p.status) + " " + p.refusal
	}
	return p.refusal
}

func notRegistered(since time.Time) string {
	if since.IsZero() { // a phone that tries TCP or TLS goes unseen: see transport's doc
		return "not registered (phones register here by UDP, not by TCP or TLS)"
	}
	away := time.Since(since)
	at := time.Now().Add(-away) // as the clock goes now
	if away > 24*time.Hour {
		return "not registered since " + at.Format("2 January 15:04")
	}
	return "not registered since " + at.Format("15:04")
}

// notAnswered is the refusal of a target that the bell has given up.
const notAnswered = "not answered"
