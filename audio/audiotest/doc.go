// Package audiotest holds the fakes beside package audio's interfaces: a network made of queues, two cards
// joined, and a sound card whose microphone and loudspeaker the test holds in its hands. Instruments judge
// what arrives.
//
//	net.go         Net, an rtp.PacketConn network with delay, loss and reordering
//	card.go        Card and Pipe, audio.Duplex at the pace of the (bubble's) clock
//	instruments.go Recorder, Level, ToneLevel, SNR
//	utterance.go   UtteranceSNR, how well a whole recording was heard, whatever delays and gains did to it
//	stoi.go        STOI, how much of speech can be understood (Taal et al. 2011)
//
// Everything runs inside a testing/synctest bubble: nothing here waits but for time. The judges are pure
// functions, which the demo uses too.
package audiotest
