package presence

import (
	"time"
)

var start = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
