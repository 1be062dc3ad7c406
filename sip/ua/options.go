package ua

import "portero/sip"

// allowed are the methods that the agent takes (§20.5).
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"

// capabilities answers what the agent can do (§11.2).
func capabilities(req *sip.Request) *sip.Response {
	res := sip.NewResponse(req, 200, "")
	res.Set("Allow", allowed)
	res.Set("Accept", sip.AcceptedBodies)
	return res
}
