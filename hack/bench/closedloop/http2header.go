package closedloop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/http2/hpack"

	"github.com/apikey-operator/apikey-operator/hack/bench/checkrequest"
)

// maxHeaderText bounds one name or value in the header of an answer.
const maxHeaderText = 8 << 10

// header is that of every call.
type header struct {
	fields  []hpack.HeaderField
	encoder *hpack.Encoder
	encoded bytes.Buffer
	settled bool // encoded is right for all calls that follow
}

// block returns the header of the next call. All headers are the same, so that from
// the second one on both sides have all fields in their tables, and a block of
// nothing but indexes changes no table and can be sent again.
func (h *header) block() []byte {
	if h.settled {
		return h.encoded.Bytes()
	}
	h.encoded.Reset()
	for _, f := range h.fields {
		_ = h.encoder.WriteField(f) // a buffer takes all
	}
	h.settled = indexesOnly(h.encoded.Bytes(), len(h.fields))
	return h.encoded.Bytes()
}

// indexesOnly reports whether a block is n fields of one byte, each an index.
func indexesOnly(block []byte, n int) bool {
	for _, b := range block {
		if b < 0x80 || b == 0xff {
			return false
		}
	}
	return len(block) == n
}

// limit follows the server's SETTINGS_HEADER_TABLE_SIZE.
func (h *header) limit(size uint32) {
	h.encoder.SetMaxDynamicTableSizeLimit(size)
	h.settled = false
}

// answerHeader is what is looked at in the header or trailer that is being read.
type answerHeader struct {
	decoder                 *hpack.Decoder
	status, contentType     string
	grpcStatus, grpcMessage string
	hasGRPC                 bool
}

func newAnswerHeader() *answerHeader {
	h := &answerHeader{}
	h.decoder = hpack.NewDecoder(4096, h.field)
	h.decoder.SetMaxStringLength(maxHeaderText)
	return h
}

func (h *answerHeader) field(f hpack.HeaderField) {
	switch f.Name {
	case ":status":
		h.status = f.Value
	case "content-type":
		h.contentType = f.Value
	case "grpc-status":
		h.grpcStatus, h.hasGRPC = f.Value, true
	case "grpc-message":
		h.grpcMessage = f.Value
	}
}

// begin forgets what was read before.
func (h *answerHeader) begin() {
	h.status, h.contentType, h.grpcStatus, h.grpcMessage, h.hasGRPC = "", "", "", "", false
}

// checkBegin checks the header that an answer starts with.
func (h *answerHeader) checkBegin() error {
	const want = "application/grpc"
	if h.status != "200" || len(h.contentType) < len(want) || h.contentType[:len(want)] != want {
		return fmt.Errorf("the answer isn't gRPC's: HTTP status %q, content type %q", h.status, h.contentType)
	}
	return nil
}

// checkMessage checks what was received of a call: one message, not compressed.
func checkMessage(call int, data []byte, want checkrequest.Answer) error {
	const prefix = 5
	if len(data) < prefix || data[0] != 0 || int(binary.BigEndian.Uint32(data[1:])) != len(data)-prefix {
		return fmt.Errorf("call %d: the answer is not one whole message without compression", call)
	}
	got, err := checkrequest.ReadAnswer(data[prefix:])
	if err != nil {
		return fmt.Errorf("call %d: %w", call, err)
	}
	if got != want {
		return wrong(call, got, want)
	}
	return nil
}

var errWindow = errors.New("the server's flow control window is above 2^31-1")

// windows are what the server takes.
type windows struct {
	connection int64  // bytes of all streams together
	initial    uint32 // bytes of a new stream
	frame      uint32 // bytes of a frame
	streams    uint32 // at a time
}

func newWindows() *windows {
	const unlimited = 1<<32 - 1
	return &windows{connection: initialWindow, initial: initialWindow, frame: 16 << 10, streams: unlimited}
}
