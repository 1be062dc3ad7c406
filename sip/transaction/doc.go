// Package transaction is the stack that a user agent, a registrar or a proxy stands on: the four transaction
// machines of RFC 3261 §17 with the corrections of RFC 6026, their timers, and the one loop that owns them.
//
// A [Core] decides what requests mean; a [Stack] calls it. A [Client] sends a request and passes responses
// up, a [Server] absorbs repeated requests and repeats responses.
//
//	RFC 3261 §8.1, §8.2     stack (stateless answers), core (Admit)
//	         §9             client (CANCEL sent), stack and server (CANCEL received)
//	         §17            transaction, client, server: figures 5 to 8 as tables; timer
//	         §18.1.1        send (the topmost Via of a request), stack (what arrives)
//	RFC 6026                client, server (Accepted, timers L and M, stray responses)
//
// The tables are held against testdata/figures, which is typed from the RFCs, and each row is driven over a
// wire.
//
// # The loop
//
// Stack.Run starts one goroutine for each transport, which reads and parses, and one loop, which does all the
// rest: it is the only one that touches transactions, the state of the core above, and timers. So nothing
// here has a lock, and:
//
//   - What the loop calls must not block: every Core method, the functions of Request, After, OnCancel and
//     OnFail.
//   - Other goroutines use Post, or the methods that say that any goroutine may call them. They come back
//     before it is done.
//   - Never wait in the loop for something that the loop must do: Held from within would wait for ever.
//   - Post is served ahead of the network. A flood of strangers delays a call that is placed by one message
//     at most.
//   - Constructors start nothing. Run returns after all it started has ended; a look-up of a name may outlive
//     it by 5 s.
//
// # Bounds
//
//	512    messages that wait for the loop; what comes beyond is dropped, as by a full socket buffer
//	4096   server transactions, 1024 of one user or source, 512 for this host's own (share.go); beyond, requests
//	       get 503 without state
//
// A request of a stranger costs no state: Admit decides before there is a transaction, and the same request
// gets the same To tag.
//
// # Traps
//
//   - A Request that was handed to the stack belongs to its transaction: do not alter it afterwards.
//   - After Cancel the INVITE still ends by a final response or ErrTimeout; a 200 may cross the CANCEL.
//   - The transaction of an ACK takes no response.
package transaction
