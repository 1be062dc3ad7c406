package device

import (
	"strconv"
	"strings"

	"portero/device/event"
)

// tellUnheard says in one sentence whom the bell has called and why nobody came.
func (s *Station) tellUnheard() {
	v := s.visit
	var list []string
	for i, target := range v.bell.Targets {
		why := "not tried, as the time was over"
		if i < len(v.parties) {
			why = v.parties[i].absence()
		}
		list = append(list, target+": "+why)
	}
	s.tell(event.Event{Kind: event.BellUnheard, Bell: v.bell.Name, Reason: strings.Join(list, "; ")})
}

// absence is why nobody has answered a call of the bell.
func (p *party) absence() string {
	switch {
	case !p.ended && p.rang, p.refusal == notAnswered && p.rang:
		return "rang, not answered"
	case !p.ended && p.alerts, p.refusal == notAnswered:
		return "reached, did not ring"
	case !p.ended:
		return "no response: is it switched on, and on the network?"
	case p.target.Local && (p.status == 404 || p.status == 480):
		return "not registered"
	case p.status != 0:
		return strconv.Itoa(p.status) + " " + p.refusal
	}
	return p.refusal
}

// notAnswered is the refusal of a target that the bell has given up.
const notAnswered = "not answered"
