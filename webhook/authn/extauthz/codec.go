package extauthz

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	"github.com/apikey-operator/apikey-operator/internal/auth"
)

// maxKept is how many headers, or bytes of an answer, an exchange may hold and still
// be used again: one large request shall not take up memory for good.
const maxKept, maxKeptBytes = 128, 16 << 10

// exchange is a request and its answer: the memory that one decision works on.
type exchange struct {
	message message
	broken  bool // what was sent is no message
	request auth.Request
	answer  writer
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// release forgets a request, which holds a key, and lets its memory be used again.
func (e *exchange) release() {
	m, forwarded := &e.message, e.request.ForwardedFor
	if max(cap(m.headers.entries), cap(m.headers.list), cap(m.extensions), cap(forwarded)) > maxKept || cap(e.answer.b) > maxKeptBytes {
		return
	}
	clear(m.headers.entries)
	clear(m.headers.list)
	clear(m.extensions)
	clear(forwarded)
	*e = exchange{
		message: message{headers: headers{m.headers.entries[:0], m.headers.list[:0]}, extensions: m.extensions[:0]},
		request: auth.Request{ForwardedFor: forwarded[:0]},
		answer:  writer{e.answer.b[:0]},
	}
	exchanges.Put(e)
}

// codec hands messages through: it reads what a decision needs of a CheckRequest,
// and the answer is bytes already.
type codec struct{}

var (
	_ encoding.CodecV2 = codec{}

	errOtherMessage = errors.New("ext_authz has no other messages")
)

// Name implements encoding.CodecV2.
func (codec) Name() string { return "proto" }

// Unmarshal implements encoding.CodecV2. What isn't a CheckRequest is answered, as
// everything: an error would be one of gRPC.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	e, ok := v.(*exchange)
	if !ok {
		return errOtherMessage
	}
	// A copy, which the garbage collector owns: what is read are parts of it.
	e.broken = !e.message.read(text(data))
	return nil
}

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	e, ok := v.(*exchange)
	if !ok {
		return nil, errOtherMessage
	}
	answer := mem.Copy(e.answer.b, mem.DefaultBufferPool())
	e.release()
	return mem.BufferSlice{answer}, nil
}

func text(data mem.BufferSlice) string {
	if len(data) == 1 {
		return string(data[0].ReadOnlyData())
	}
	return string(data.Materialize())
}

// service is envoy.service.auth.v3.Authorization with messages of our own.
var service = grpc.ServiceDesc{
	ServiceName: "envoy.service.auth.v3.Authorization",
	HandlerType: (*checker)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Check", Handler: func(server any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		e, _ := exchanges.Get().(*exchange)
		if err := read(e); err != nil {
			return nil, err
		}
		server.(checker).check(ctx, e)
		return e, nil
	}}},
	Metadata: "envoy/service/auth/v3/external_auth.proto",
}

type checker interface {
	check(ctx context.Context, e *exchange)
}
