// Package ua is a SIP user agent: calls that are placed and taken, and accounts that are kept registered (RFC
// 3261 §8 to §15).
//
// [Agent] is the [transaction.Core] of a stack. It places calls ([Agent.Invite]), takes them
// (Config.Incoming) and keeps accounts registered ([Agent.Register]), or only asks how one stands
// ([Agent.Query]). Bodies are bytes here; package sdp reads them.
//
//	RFC 3261 §8.2         agent (what is refused, and how)
//	         §10          register, binding (what is granted), patience (back-off), query (§10.2.3)
//	         §11          options (those of others, and whether a far end is there still)
//	         §12          dialog, reach (where its requests go)
//	         §13          invite_out, invite_in, cancel, leg, call; doubt (a server that says nothing)
//	         §15          bye
//	         §14          reinvite (ours), invite_in (theirs)
//	         §22          attempts, credentials (whose challenges are answered), package digest
//	         §8.1.3.4     redirect
//	         §8.1.3.5     repeat (calls that wait for somebody to be there)
//	         §12.2.1.2    source (who may speak in a call: by address, since its identifiers are no secret)
//	RFC 3263 §4           account (which address first), invite_out (§4.3: the next one)
//	RFC 3326              cancel (why a phone stops ringing)
//	RFC 3581              binding (the public address that it shows)
//	RFC 3608              binding (Service-Route)
//	RFC 5626 §4.4, §4.5   binding (keep-alives), patience
//	RFC 3262, 3264, 3311  offer_answer (the table of a leg, with the rows of PRACK and UPDATE)
//	RFC 6086              info (INFO; also the digits of the time before it)
//
// All of it runs on the stack's loop, Invite.Offer and the functions of Invite, Register and Incoming too:
// none may block.
//
// # Bounds
//
//	64     legs of one INVITE, however many branches a proxy makes of it
//	4      attempts at one request that is challenged
//
// OPTIONS outside of a dialog are answered without state, as strangers are.
//
// # What an INVITE survives
//
// A call that this host cannot send, or whose server's name it cannot resolve, is begun anew every 2 s until
// Hangup: a moment without a network loses no press. Of several servers the next is tried at once after a
// local failure or a 503, and after 2 s of silence while the first stays pending; whoever answers first has
// the call, all others are cancelled, or acknowledged and ended. A server that says nothing is looked up anew
// after 2, 4, 8 s and so on, and called beside where its name leads now. With all of them silent, the call
// ends with ErrTimeout 32 s after the last was tried. A repetition that cannot be sent counts as lost. An
// account's calls go to the addresses that are known, at once: refreshes of its registration, and failures,
// look them up anew.
//
// A call with Invite.Waits goes on where that ends, and after a refusal that may pass: after 404 and 480 it is
// sent again in 5 and 15 s, after 408, 500, 502, 503 and 504 in 2, 4 and 8 s, or as late as Retry-After asks;
// at most 4 times in 10 minutes to one target, over all calls. What a phone that rang, a person or a rule has
// decided is final. While nobody rings, an offer that names an address which this host has lost is made anew.
//
// # What a dialog survives
//
// A Contact or Route that leads nowhere (a transport that the stack lacks, a name not found within 1 s,
// an address where no ACK arrives by the third copy of the 200, nor a BYE within 2 s) costs a WARN: ACK, BYE
// and the rest go to where the dialog's last message came from, or its INVITE got through to. That is never
// less protected than the dialog was, and only an address of the dialog's own far end, or a server of its
// account, can become it. A call whose 200 cannot be acknowledged at all ends at once.
//
// # What a registration survives
//
// Of a registrar's addresses the next is tried after 2 s of silence, beside the first. A binding is refreshed
// 5 s or more before its end, and never before 5 s have passed. An address that moves changes the Contact at
// once, then after 30 s, 1 min and so on; one of two that are seen in turn does not. Retry-After is obeyed up
// to an hour. A refused password is tried 3 times within minutes, then once in 10 minutes.
//
// # Limits
//
// UDP only: an INVITE to transport=tcp or sips: ends with an error. A re-INVITE that nobody answers
// is not tried the other way. No PRACK, UPDATE, session timers, REFER or
// SUBSCRIBE; a redirection (3xx) is followed once, and where Config.Redirect allows it, else the call ends
// with its status. A far end that disappears within a call is
// not noticed here: media is the witness, and the call's owner may have it asked ([Leg.Ask]). An unanswered INVITE rings until Hangup; there is no timer C in a
// user agent.
//
// # Traps
//
//   - Invite.Offer is asked anew for each server and each attempt; the local address may be another one then.
//   - Ended is the last event of a call, but not the end of its signalling: Agent.Calls and Agent.Shutdown
//     count until the far end has confirmed a BYE or CANCEL, which takes 32 s if it is gone.
//   - Agent.Calls from an event would wait for ever: it asks the loop that makes the event.
//   - A call that was hung up may still be answered (200 crosses CANCEL): it is acknowledged and ended, and
//     never told.
//   - After a fork, Progress tells of several legs, Answered of one. Early media belongs to a leg.
//   - Credentials go to the account's own server only. A phone that is called can challenge the BYE that
//     comes to it directly, and crack the answer.
//   - On plain UDP a source address can be forged: source.go keeps out who has seen a message and writes from
//     his own.
//   - Config.Allow sees a request before any dialog: an address and a From that anybody can write.
package ua
