// Package status asks the station that runs on this machine how it stands.
//
//	document.go   Document: the station's Snapshot, and which configuration it runs
//	sentence.go   the same in one sentence, and whether that is good
//	socket.go     Ask and Serve: a unix socket that gives one document to each connection, and takes nothing
//
// Why a socket and no file under /run: a file goes on saying what was written last. A document is made when
// it is asked for, by way of the SIP stack's loop and the station's (device.Station.Ask): one that hangs, is
// stopped or is dead gives none, and cannot look good. Nothing is read from a connection, so nobody opens a
// door here. The socket is for its user and group alone (0660): a document names accounts, phones and callers.
package status
