//go:build interop

// Package interop runs the station's real binary against the SIP programs of Debian, over loopback sockets with real time
// and real sound: Kamailio (registrar and proxy), baresip, linphonec and twinkle-console (phones), SIPp
// (scripted signalling).
//
//	process.go   children: own process group, own directory, log kept and shown when the test fails
//	ports.go     free ports
//	kamailio.go baresip.go linphone.go twinkle.go sipp.go   one peer each; baresip is driven through ctrltcp.go
//	peer.go      a SIP peer scripted in Go over UDP, for what SIPp cannot: SHA-256 digests, floods, broken datagrams
//	station.go   the binary under test, its events and its state lines
//	voice.go     who says what, and whether it was heard (scripts/support/voices)
//	failed.awk   what scripts/interop shows when tests have failed
//
// The tests need the build tag interop and the peers' packages; scripts/test installs them. Without a peer, or without
// cmd/portero, a test says so and skips; with CI=true it fails. The first tests prove the peers against each other, so that
// a failure later is the station's.
//
// Traps: Debian's baresip 1.0.0 reads aufile at the codec's rate only (8 kHz mono here) and needs a player to run the
// decoder's clock (aubridge stands in for the card); its sndfile module dumps what went out (enc) and what came in (dec).
// Debian's twinkle 1.10.2 writes Z as %5a where it repeats a Record-Route.
// linphonec writes its recording's head when the call is over. On a machine short of time phones run dry: who must hear a sentence
// listens while the call lasts, again and again (converse), and what comes by itself is waited for with patience.
// Kamailio's main process is the one to signal: it ends its workers.
package interop
