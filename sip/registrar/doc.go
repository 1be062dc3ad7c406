// Package registrar is the SIP server that is built into a door station, so that a home needs no PBX: the
// registrar, its location service and a stateful forking proxy (RFC 3261 §10.3, §16). One [Server] is the
// [transaction.Core] of a stack and port of its own; it answers for its users alone and relays for nobody
// else.
//
//	RFC 3261 §10.3         register.go   REGISTER: authorization, order, all or nothing, 423, the list
//	RFC 3261 §10.3 step 7  location.go   bindings and their expiry; RFC 3327 (Path); the flow they came by
//	                       restore.go   what a server takes over from the one before it in the process
//	                       saved.go     what it takes over from the process before
//	RFC 3261 §11           alive.go      phones that are registered are asked whether they are there
//	RFC 3261 §16.3, §22.3  admit.go      request validation and challenges, without state
//	RFC 3261 §16.4         route.go      strict and loose routes
//	RFC 3261 §16.6 item 4  route.go      Record-Route, twice where two addresses are seen (RFC 5658)
//	RFC 3261 §16.5, §16.6  forward.go    targets and the copies that go to them
//	RFC 3261 §16.7 to .10  fork.go       responses, best response, timer C, transport errors, CANCEL
//	                       stop.go      what rings when the server stops
//	                       bell.go       a bell's INVITE waits for phones, and no phone speaks for another
//	RFC 3326               fork.go       Reason of a CANCEL, passed on; bell.go: that of our own
//	RFC 8599 §4.1.2        forward.go    push parameters of a Contact stay in the Request-URI
//	RFC 8760, RFC 7616     admit.go      digest with SHA-256 and MD5 (package digest)
//	                       md5_only.go   MD5 alone for phones that give up at the sight of SHA-256
//	                       guard.go      how many wrong passwords a source may show
//	                       local.go      which addresses are the server's own
//
// # Who may do what
//
// Strangers get challenges, refusals, and a 200 to OPTIONS, all without a transaction. A user registers its
// own address of record and calls other users under its own name; identity headers that phones would display
// in place of From are removed (RFC 3325 §5), as are credentials for our realm (§22.3). Wrong passwords of
// one source are counted (IPv6: of its /64): after 10 in a minute the source gets 403 for a minute, unless it
// is the very address and port of a live binding, so that a forged packet cannot silence a phone that is
// registered.
//
// # Requests within a dialog
//
// They need no credentials: a phone that was called has none to show at times. In their place the user part
// of our Record-Route holds a token: the two ends of the INVITE, each with its user and its hop, sealed with a
// keyed hash over them, the Call-ID and the caller's tag. It serves each end from where it was, or has
// registered since; from elsewhere its user is challenged, and nobody else gets through, for everybody on the
// way has seen the token. Likewise a phone's responses count from its own address alone. A request within the dialog goes to the other of these
// two hops and nowhere else, whatever its Request-URI or further Route says; with a token that does not fit
// it is answered 481, and an ACK is dropped. So a token relays between the two ends that it was made for, and
// nothing can be relayed without one. The key lives as long as the process: a server that takes over has it
// from the one before ([Server.Restore]).
//
// # Phones behind a NAT
//
// A binding is reached where its REGISTER came from, not where its Contact says; the Request-URI is the
// Contact. Only a client that does not ask for symmetric responses (RFC 3581) and gives its own address with
// another port is taken at its word. The phone must keep its NAT mapping alive; what the server asks
// it (Config.AskEvery) is too rare for most NATs.
//
// # Choices
//
//   - All contacts ring at once; q only orders the list, since nobody at a door waits for a second round.
//   - 3xx are passed on, not followed; other domains and foreign routes get 403.
//   - A request that already bears a Via of ours is a loop (482): there is no spiral that a home would need.
//   - When a user has ten bindings, the one refreshed least recently makes room: a phone that changes its
//     port at each start must not lock itself out.
//   - A phone that leaves a challenge of both algorithms unanswered and comes again without credentials is
//     offered MD5 alone (baresip 1.0 gives up at the sight of SHA-256 and registers at its second attempt,
//     half a minute later).
//   - After a CANCEL or a 6xx, branches that do not end are waited for 4 s, then the best response goes up
//     without them.
//   - An INVITE of Config.Bell differs: while nobody is registered, or nobody who is can be reached, it is
//     queued (182) until its CANCEL; who registers meanwhile is rung at once, but for a phone that rings or
//     has declined; a 6xx ends its own branch alone. It ends when all are asked and somebody has declined.
//     Where nothing could be sent it gets a 503, since its offer may name an address that is gone.
//   - 401 and 407 of a phone go up as 403, where §16.7 item 7 would gather them: the answer would show the phone
//     what to try passwords against.
//   - 503 of a branch goes up as 500 (§16.7 item 6); a 1xx to a request other than INVITE does not go up (RFC
//     4320).
//   - REGISTER with Path needs no Supported: path.
//
// # Limits
//
// An end that changes its address within a dialog is not followed. A link-local IPv6 address is not
// recognised as the server's own in a URI; name the server in Domains. Calls that go on during a restart of
// the process cannot be ended through the new one. Contacts of a stream transport are reached while their
// connection lasts.
package registrar
