// Package device is the door station: bells, the calls of a visit, sound, codes and doors.
//
// One loop owns the station ([Station.Run]). Everybody else posts: the board its edges, the SIP stack its
// call events, the audio engine its digits, signals and programs their commands. The station posts back and
// waits for nobody. What it does in which state is one table (table.go); package access has another for each
// door. What an action raises comes right after that action.
//
// A Station keeps its parts to itself: board gives relays to package access alone, and a door is opened by
// code, by button or by the command [OpenDoor], never by a relay in somebody's hand.
//
//	table.go       the states and all that can happen in them
//	station.go     the loop: what it is put together from, steps, lines that change
//	command.go     what others may ask for, each with an answer
//	snapshot.go    the one document that says how the station stands
//	visit.go       a visit in the order it goes: calls, answer, talk, end
//	ring.go        how a bell calls its targets: at once or in turn, and those that are not there yet
//	unheard.go     why nobody came, in one sentence
//	words.go       why a call has failed, in plain words
//	silence.go     a talk whose far end is not heard: who may hear, when it is asked and told, a new address
//	beside.go      the ring beside such a talk
//	incoming.go    calls that others place: only callers on the list, each only from where it belongs
//	microphone.go  the one rule for who may hear the door, and the signal that somebody does
//	digits.go      digits, codes, and what an opened door means to a talk
//	inputs.go      request to exit, door contact, tamper contact
//	lines.go       lines that cannot be had, or are lost, and come back
//	lamps.go       what the lamps show
//	phone.go       accounts and targets
//	callers.go     who may call, and what to write for those who may not
//	sounds.go      chime, ring-back and the other tones
//	hang*.go       a loop that hangs on purpose, only with the build tag hangtest
//
// # What is promised
//
//   - The microphone is open only while a call talks. Ringing opens the card for playback alone, early media is heard but not
//     answered, and an idle station has no card open. (Other stations send the visitor's voice as early media; this one does not,
//     because nobody at the door can know who listens before somebody answers.)
//   - While nobody is known to be at the far end of a talk, the microphone is closed: before the first packet (or a caller's ACK),
//     and after 15 s without any sign of life. Packets of silence go on, since some far ends wait for them.
//   - An incoming call is sent nothing before its ACK, which bears a tag that only its true sender has seen. One that is answered by
//     itself, or taken back from hold, hears the door only after the door has heard a signal, however late the card comes.
//   - No forged call swallows a bell: a call that was picked up and is not acknowledged within 2 s makes room for the phones of the
//     bell that was pressed, one that was answered by itself does so at the press.
//   - Digits open doors only in calls that the station placed, or whose caller the configuration trusts with it. A phone that sends
//     each key twice, as RTP event and as INFO, presses it once: the first way that brings a digit is the call's way.
//   - A bell waits for phones until its limit: one that registers meanwhile rings at once, a server that refuses for now is
//     asked again, a moment without a network loses nothing. Only when all have declined is the visitor told at once.
//   - A bell pressed while its own visit lasts is answered with the chime, and asks once more for those who were not there.
//   - In a talk whose far end has not been heard for 3 s a press rings all phones again; the old leg keeps the talk if it is heard
//     before another answers.
//   - A talk that is silent for 15 s goes on only if its far end says that it is there, and for a minute at most.
//   - A request-to-exit button opens its door in every state of the station, without network, while codes are
//     locked out, and where no code names the door. It has to be held for its debounce time, so that a spike
//     on the wire opens nothing. Held down since before the start it opens nothing; stuck, it opens once. A
//     tamper alarm neither ends nor blocks what it opens.
//   - A tamper alarm ends at once what codes and programs have opened, and keeps them from opening for a time
//     that no restart shortens.
//   - The watchdog is fed only while both the station's loop and the SIP stack's answer.
//   - A line that cannot be had costs only itself: bells and inside buttons come first, then each door, then sensors and lamps. It is
//     told (line.lost), looked for every 10 s, and works once it is had (line.back): a relay comes back released. So does a chip.
//   - A bell whose chime cannot be loaded rings with ding-dong.
//   - Lamps follow the station and are off at its end. A lamp that fails changes nothing else. A ready lamp that blinks says that
//     another configuration stands in for the file's.
//   - An event whose time cannot be believed says so ([event.ClockUnknown], [event.TimeKnown]).
//   - A station that stops hangs up and closes its doors first.
//
// # Limits
//
// One visit at a time: another bell meanwhile is ignored, gets a busy tone or replaces the visit, as
// configured; there is no queue. No transfer, no video, no early media from the door. A door opened by hand
// is reported as forced: the station knows only of its own openings, up to 10 s after the relay was released.
// A station without a door (its last good file leaves out those that no button inside opens) does not report it as forced.
//
// A caller that is answered by itself hears the door some 2 s late, after the signal. An answered call whose
// ACK is lost is silent until the 200 is repeated (0.5 s).
package device
