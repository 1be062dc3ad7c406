package status

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"portero/device"
)

// Sentence says in one line how the station stands. good: it runs its file's configuration, and whom its bells
// call can be reached, as far as it knows. The first word is "starting", "degraded", "not ready" or "ready".
func (d *Document) Sentence() (line string, good bool) {
	line, good = d.sentence()
	return Line(line), good
}

func (d *Document) sentence() (line string, good bool) {
	registered, why := d.accounts()
	nobody := d.unreachable()
	switch {
	case d.Starting != "":
		return "starting: " + d.Starting, false
	case !d.Ready:
		return "starting: the inputs are being read", false
	case d.StandIn != nil:
		s := *d.StandIn
		s.Reason = first(s.Reason)
		return "degraded: " + s.String(), false
	case len(d.Accounts) > 0 && registered == 0:
		return "not ready: " + why, false
	case nobody != "":
		return "not ready: " + nobody, false
	case why != "":
		return "degraded: " + why, false
	case len(d.Missing) > 0:
		return "degraded: lines that cannot be had: " + strings.Join(d.Missing, ", "), false
	case d.Card.State == "lost":
		return "degraded: the sound card is lost: " + d.Card.Reason, false
	}
	line = "ready: " + d.rings()
	if n := len(d.Accounts); n > 0 {
		line += fmt.Sprintf("; %d of %d accounts registered", registered, n)
	}
	if n := len(d.Phones); n > 0 {
		here := 0
		for _, p := range d.Phones {
			here += min(p.Contacts, 1)
		}
		line += fmt.Sprintf("; %d of %d users have a phone here", here, n)
	}
	return line, true
}

// first is the first of several faults, one a line.
func first(faults string) string {
	fault, others, more := strings.Cut(faults, "\n")
	if more {
		fault += fmt.Sprintf(" (and %d more)", 1+strings.Count(others, "\n"))
	}
	return fault
}

// accounts counts those that are registered; why says why one is not.
func (d *Document) accounts() (registered int, why string) {
	for _, a := range d.Accounts {
		switch {
		case a.Registered:
			registered++
		case a.Reason == "":
			why = fmt.Sprintf("account %s is not registered yet", a.Name)
		default:
			why = fmt.Sprintf("account %s is not registered: %s", a.Name, a.Reason)
		}
	}
	return registered, why
}

// unreachable names a bell all of whose targets are users of the built-in server that have no phone there.
func (d *Document) unreachable() string {
	reachable := func(target string) bool {
		i := slices.IndexFunc(d.Phones, func(h device.Handset) bool { return h.User == target })
		return i < 0 || d.Phones[i].Contacts > 0
	}
	for _, b := range d.Bells {
		if !slices.ContainsFunc(b.Targets, reachable) {
			return fmt.Sprintf("bell %s rings nobody: no phone is registered as %s", b.Name, strings.Join(b.Targets, ", "))
		}
	}
	return ""
}

const targetsNamed = 6 // of those that ring

func (d *Document) rings() string {
	var all []string
	for _, b := range d.Bells {
		for _, t := range b.Targets {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	if len(all) == 0 {
		return "no bell"
	}
	if more := len(all) - targetsNamed; more > 0 {
		all = append(all[:targetsNamed], fmt.Sprintf("%d more", more))
	}
	return "rings " + strings.Join(all, ", ")
}

// Line is text for one line of a terminal or of the service manager: strangers have written parts of it.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
