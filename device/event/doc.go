// Package event is the door station's one vocabulary of what happened, for logs, the audit file, MQTT and the
// HTTP API.
//
//	event.go   Kind and Event: a flat record, the same as JSON, as slog attributes and in memory
//	log.go     Log: keeps the last N events and fans them out to subscribers
//	clock.go   TimeKnown: whether the time of day can be believed
//	audit.go   Audit: an append-only file of openings, lock-outs and alarms that survives power cuts
//
// Log.Emit never blocks: a subscriber that is too slow loses its oldest events and finds an [EventsLost] in
// their place.
//
// Limits: the audit file is bounded by size (one older generation is kept), not by days. Without a battery
// clock the times of events before the first time synchronisation are wrong: such an event says clock
// "unknown". Their order in the file is right.
//
// Trap: an Event never holds digits of a code or a password. Put none into Reason.
package event
