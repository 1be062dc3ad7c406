package transaction

import "portero/sip/fsm/fsmtest"

// Figures returns the tables by the names of their golden files.
func Figures() map[string]fsmtest.Figure {
	return map[string]fsmtest.Figure{
		"5": fsmtest.Of(inviteClient), "6": fsmtest.Of(nonInviteClient), "7": fsmtest.Of(inviteServer),
		"8": fsmtest.Of(nonInviteServer),
	}
}
