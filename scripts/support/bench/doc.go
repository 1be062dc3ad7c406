// Bench drives real processes over loopback for scripts/bench: the station and a peer, in the same minute, by the same far end.
//
//	bench -portero BINARY [-quick] messages|start|agent|call|delay|server ...
//
//	messages messages.go parsing and serialising three messages
//	start    start.go    exec to REGISTER
//	agent    agent.go    registered and idle: memory, CPU, wake-ups; a press of the bell to INVITE; INVITE to the first RTP packet
//	call     call.go     CPU and wake-ups of a call
//	delay    delay.go    from microphone to loudspeaker; from RTP in to RTP out. Ours is the engine, in this process, on a simulated
//	                     card of 48 kHz; the peer a baresip process whose card, at the codec's rate, is a bridge of its own
//	server   server.go   the built-in server and Kamailio: CPU of a REGISTER and of a call
//
// Results are BENCH lines on stdout, progress goes to stderr. CPU is that of the process's clock (user and system time, what
// getrusage adds up at its end, readable while it runs). Arrivals are the kernel's time stamps, so that this program's own
// wake-ups are no part of them. What judges sound by files is in sound/, the peer of the parser in sip/. FIGURES.md keeps what the part
// "sound" gave last.
//
// Limits: loopback alone; a peer that is not installed is an error. On a busy machine wall times grow on both sides and only their minima
// mean something; a Go program then also wakes up more often, so the quietest slices of a call are reported as "-least".
package main
