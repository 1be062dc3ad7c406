// Package sip is a SIP user agent's stack over UDP: messages, transactions, dialogs, calls and registration.
//
// A [Stack] owns transactions and timers; a [Core] above it decides. [Agent] is the Core of a user agent: it places calls
// ([Agent.Invite]), takes them (AgentConfig.Incoming) and keeps accounts registered ([Agent.Register]). Package registrar has
// the other Core. Bodies are bytes here; package sdp reads them. Package siptest has a lossy network and a scripted peer.
//
// # Where it is written
//
//	RFC 3261 §7, §20, §25   message, header*, params, uri, address, parse*, write, reason, char
//	         §8.1, §8.2     stack (Admit, stateless answers), agent (what is refused, and how)
//	         §9             tx_client (CANCEL sent), stack and tx_server (CANCEL received)
//	         §10            register
//	         §11            agent (OPTIONS)
//	         §12            dialog
//	         §13, §15       uac, uas, call
//	         §14            reinvite (ours), uas (theirs)
//	         §17            tx, tx_client, tx_server: figures 5 to 8 as tables
//	         §18            transport, udp, via, framing
//	         §22            outgoing, package digest
//	RFC 3263 §4             resolve (SRV, A, AAAA; no NAPTR), account (which address first), uac (§4.3: the next one)
//	RFC 3581                via (rport), account (the public address that it shows)
//	RFC 5626 §4.5           register (back-off)
//	RFC 6026                tx_client, tx_server (Accepted, timers L and M, stray responses)
//	RFC 6086                call (INFO; also the digits of the time before it)
//	RFC 7616, RFC 8760      package digest
//
// The state tables are held against testdata/figures, which is typed from the RFCs, and each row is driven over a wire.
//
// # The loop
//
// Stack.Run starts one goroutine for each transport, which reads and parses, and one loop, which does all the rest: it is the
// only one that touches transactions, dialogs, calls, registrations and timers. So nothing here has a lock, and:
//
//   - What the loop calls must not block: every Core method, Invite.Offer, the functions of Invite, Register and Incoming.
//   - Other goroutines use Post, or the methods that say that any goroutine may call them. They come back before it is done.
//   - Never wait in the loop for something that the loop must do: Agent.Calls from an event would wait for ever.
//   - Post is served ahead of the network. A flood of strangers delays a call that is placed by one message at most.
//   - Constructors start nothing. Run returns after all it started has ended; a look-up of a name may outlive it by 5 s.
//
// # Bounds
//
//	512    messages that wait for the loop; what comes beyond is dropped, as by a full socket buffer
//	4096   server transactions; beyond, requests outside of dialogs get 503 without state
//	64     legs of one INVITE, however many branches a proxy makes of it
//	4      attempts at one request that is challenged
//	64 KiB a message, with its headers (256) and the values of one list (128)
//
// A request of a stranger costs no state: Admit decides before there is a transaction, and the same request gets the same To
// tag. OPTIONS outside of a dialog are answered so, too.
//
// # What an INVITE survives
//
// A call that this host cannot send, or whose server's name it cannot resolve, is begun anew every 2 s until Hangup: a moment without
// a network loses no press. Of several servers the next is tried at once after a local failure or a 503, and after 4 s of silence
// while the first stays pending; whoever answers first has the call, all others are cancelled, or acknowledged and ended. With one
// server, or all of them silent, the call ends with ErrTimeout after 32 s. A repetition that cannot be sent counts as lost. An account's
// calls go to the addresses that are known, at once: refreshes of its registration, and failures, look them up anew.
//
// # Limits
//
// UDP only: a URI with transport=tcp or sips: ends with an error. No PRACK, UPDATE, session timers, REFER or SUBSCRIBE; a
// redirection (3xx) ends the call with its status. A far end that disappears within a call is not noticed here: media is the
// witness. An unanswered INVITE rings until Hangup; there is no timer C in a user agent.
//
// # Traps
//
//   - Invite.Offer is asked anew for each server and each attempt; the local address may be another one then.
//   - Ended is the last event of a call, but not the end of its signalling: Agent.Calls and Agent.Shutdown count until the far
//     end has confirmed a BYE or CANCEL, which takes 32 s if it is gone.
//   - A call that was hung up may still be answered (200 crosses CANCEL): it is acknowledged and ended, and never told.
//   - After a fork, Progress tells of several legs, Answered of one. Early media belongs to a leg.
//   - Credentials go to the account's own server only. A phone that is called can challenge the BYE that comes to it directly,
//     and crack the answer.
//   - AgentConfig.Allow sees a request before any dialog: an address and a From that anybody can write.
package sip
