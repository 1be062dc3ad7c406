package sip

import (
	"slices"
	"strings"

	"portero/sip/fsm"
)

// Figure is a state table as the golden files write it.
type Figure struct {
	Machine   string   // as logged
	Rows      []string // in order
	Steps     []Step   // of each row
	Unhandled []string
	States    []string
}

// Step is a row without its prose.
type Step struct{ Machine, From, Event, To string }

// Figures returns the tables by the names of their golden files.
func Figures() map[string]Figure {
	return map[string]Figure{
		"5": figure(inviteClient), "6": figure(nonInviteClient), "7": figure(inviteServer), "8": figure(nonInviteServer),
		"registration": figure(registration),
	}
}

func figure[S, E ~string, M any](t *fsm.Table[S, E, M]) Figure {
	f := Figure{Machine: t.Name, Unhandled: t.Unhandled()}
	for _, r := range t.Rows {
		f.Rows = append(f.Rows, r.String())
		f.Steps = append(f.Steps, Step{t.Name, string(r.State), string(r.Event), string(r.Next)})
	}
	for _, s := range t.States() {
		f.States = append(f.States, string(s))
	}
	return f
}

// Held counts what a stack keeps: client and server transactions, and timers. It asks the loop.
func (s *Stack) Held() (clients, servers, timers int) {
	done := make(chan struct{})
	s.Post(func() {
		clients, servers, timers = len(s.clients), len(s.servers), s.timers.Len()
		close(done)
	})
	<-done
	return clients, servers, timers
}

// InboxSize and MaxServerTx are the stack's bounds.
const (
	InboxSize   = inboxSize
	MaxServerTx = maxServerTx
)

// Blot is what a trace does to a message.
var Blot = blot

// HasToken reports whether a field of that name lists the token.
func (h *Headers) HasToken(name, token string) bool {
	return slices.ContainsFunc(h.Values(name), func(v string) bool {
		return slices.ContainsFunc(slices.Collect(Tokens(v)), func(t string) bool { return strings.EqualFold(t, token) })
	})
}
