package ua

import "portero/sip/fsm/fsmtest"

// Registering is the table of a registration.
var Registering = fsmtest.Of(registration)
