package device

import "portero/sip/fsm"

// State is what the station is doing.
type State string

// The states of the station.
const (
	Idle      State = "Idle"
	Calling   State = "Calling"    // the bell was pressed, phones ring
	RingingIn State = "Ringing in" // an allowed caller waits for somebody at the door
	Talking   State = "Talking"
	Ending    State = "Ending" // the call is over, its tone sounds
)

type trigger string

// What can happen to the station.
const (
	onPress    trigger = "press"
	onProgress trigger = "progress"
	onAnswered trigger = "answered"
	onFailed   trigger = "call failed"
	onAbsent   trigger = "target absent"
	onHunt     trigger = "hunt over"
	onLimit    trigger = "ring limit"
	onTalk     trigger = "talk limit"
	onOffered  trigger = "call offered"
	onRenewed  trigger = "media offered"
	onAcked    trigger = "acked"
	onAnswer   trigger = "answer"
	onUnacked  trigger = "ACK overdue"
	onDigit    trigger = "digit"
	onOpened   trigger = "door opened"
	onBye      trigger = "peer hung up"
	onHangUp   trigger = "hang up"
	onToneOver trigger = "tone over"
)

// stationTable is the whole behaviour of the station. The door has a table of its own (package access).
var stationTable = fsm.New("station", []fsm.Row[State, trigger, *Station]{
	{State: Idle, Event: onPress, Next: Calling, Does: "chime, call the targets", Action: (*Station).ring},
	{State: Idle, Event: onOffered, When: "auto-answer", Guard: (*Station).autoAnswer, Next: Talking, Does: "signal, answer", Action: (*Station).answerAtOnce},
	{State: Idle, Event: onOffered, Next: RingingIn, Does: "ring at the door", Action: (*Station).ringDoor},

	{State: Calling, Event: onPress, When: "same bell", Guard: (*Station).sameBell, Next: Calling, Does: "chime, call whom it waits for", Action: (*Station).pressAgain},
	{State: Calling, Event: onPress, When: "replace", Guard: (*Station).replaces, Next: Calling, Does: "give up, call the new targets", Action: (*Station).replace},
	{State: Calling, Event: onPress, Next: Calling, Does: "tell busy", Action: (*Station).pressBusy},
	{State: Calling, Event: onProgress, Next: Calling, Does: "ring-back or early media", Action: (*Station).progress},
	{State: Calling, Event: onAnswered, Next: Talking, Does: "cancel the others, talk", Action: (*Station).connect},
	{State: Calling, Event: onFailed, When: "others left", Guard: (*Station).othersLeft, Next: Calling, Does: "call the next", Action: (*Station).hunt},
	{State: Calling, Event: onFailed, Next: Ending, Does: "busy tone", Action: (*Station).nobody},
	{State: Calling, Event: onAbsent, Next: Calling, Does: "ring-back, call the next", Action: (*Station).hunt},
	{State: Calling, Event: onHunt, Next: Calling, Does: "give up this target, call the next", Action: (*Station).huntOn},
	{State: Calling, Event: onLimit, Next: Ending, Does: "give up, busy tone", Action: (*Station).unanswered},
	{State: Calling, Event: onHangUp, Next: Ending, Does: "give up", Action: (*Station).giveUp},
	{State: Calling, Event: onOffered, Next: Calling, Does: "486", Action: (*Station).busyHere},

	{State: RingingIn, Event: onPress, Next: Talking, Does: "answer", Action: (*Station).pickUp},
	{State: RingingIn, Event: onAnswer, Next: Talking, Does: "signal, answer", Action: (*Station).pickUp},
	{State: RingingIn, Event: onLimit, Next: Idle, Does: "480", Action: (*Station).nobodyAtDoor},
	{State: RingingIn, Event: onBye, Next: Idle, Does: "stop ringing", Action: (*Station).endQuietly},
	{State: RingingIn, Event: onHangUp, Next: Idle, Does: "603", Action: (*Station).endQuietly},
	{State: RingingIn, Event: onOffered, Next: RingingIn, Does: "486", Action: (*Station).busyHere},

	{State: Talking, Event: onPress, When: "same bell", Guard: (*Station).sameBell, Next: Talking, Does: "chime only", Action: (*Station).pressAgain},
	{State: Talking, Event: onPress, When: "not acked", Guard: (*Station).notAcked, Next: Calling, Does: "give up, call the targets", Action: (*Station).replace},
	{State: Talking, Event: onPress, When: "replace", Guard: (*Station).replaces, Next: Calling, Does: "give up, call the new targets", Action: (*Station).replace},
	{State: Talking, Event: onPress, Next: Talking, Does: "tell busy", Action: (*Station).pressBusy},
	{State: Talking, Event: onRenewed, Next: Talking, Does: "answer with new media", Action: (*Station).renew},
	{State: Talking, Event: onAcked, Next: Talking, Does: "open the microphone", Action: (*Station).acked},
	{State: Talking, Event: onUnacked, Next: Calling, Does: "give up, call the pressed bell's targets", Action: (*Station).ringInstead},
	{State: Talking, Event: onDigit, Next: Talking, Does: "code entry", Action: (*Station).digit},
	{State: Talking, Event: onOpened, Next: Talking, Does: "tone, hang up later", Action: (*Station).opened},
	{State: Talking, Event: onBye, Next: Ending, Does: "tone", Action: (*Station).farewell},
	{State: Talking, Event: onTalk, Next: Ending, Does: "hang up, tone", Action: (*Station).farewell},
	{State: Talking, Event: onHangUp, Next: Ending, Does: "hang up, tone", Action: (*Station).farewell},
	{State: Talking, Event: onOffered, Next: Talking, Does: "486", Action: (*Station).busyHere},

	{State: Ending, Event: onPress, Next: Calling, Does: "chime, call the targets", Action: (*Station).ring},
	{State: Ending, Event: onOffered, When: "auto-answer", Guard: (*Station).autoAnswer, Next: Talking, Does: "signal, answer", Action: (*Station).answerAtOnce},
	{State: Ending, Event: onOffered, Next: RingingIn, Does: "ring at the door", Action: (*Station).ringDoor},
	{State: Ending, Event: onToneOver, Next: Idle},
})
