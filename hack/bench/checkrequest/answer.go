package checkrequest

import (
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
)

// Answer is what a benchmark looks at in every answer.
type Answer struct {
	// Code is CheckResponse.status.code; 0 over HTTP.
	Code int32
	// Status is the status of CheckResponse.denied_response, 0 without one; over
	// HTTP the status of the response.
	Status int
}

// String implements fmt.Stringer.
func (a Answer) String() string {
	return fmt.Sprintf("status code %d and HTTP status %d", a.Code, a.Status)
}

// Allowed is the CheckResponse of a request that may pass.
func Allowed() Answer { return Answer{} }

// Denied is the CheckResponse of a denial that clients see with an HTTP status.
func Denied(status int) Answer {
	code := codes.PermissionDenied
	switch status {
	case http.StatusBadRequest:
		code = codes.InvalidArgument
	case http.StatusUnauthorized:
		code = codes.Unauthenticated
	case http.StatusTooManyRequests:
		code = codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		code = codes.Unavailable
	}
	return Answer{Code: int32(code), Status: status}
}

// Numbers of fields in the protocol's files.
const (
	responseStatus, responseDenied, responseOK = 1, 2, 3 // CheckResponse
	statusCode                                 = 1       // google.rpc.Status
	deniedStatus                               = 1       // DeniedHttpResponse
	httpStatusCode                             = 1       // HttpStatus
)

var errMessage = errors.New("the answer is no CheckResponse")

// ReadAnswer reads a CheckResponse without allocating: the generated types cost
// more than many a server that is measured. As they do, it takes the last of fields
// that are there twice and the last of ok_response and denied_response.
func ReadAnswer(message []byte) (Answer, error) {
	var a Answer
	err := fields(message, func(field protowire.Number, v []byte, _ uint64) (err error) {
		switch field {
		case responseStatus:
			err = number(v, statusCode, func(n uint64) { a.Code = int32(n) })
		case responseDenied:
			err = fields(v, func(field protowire.Number, v []byte, _ uint64) error {
				if field != deniedStatus {
					return nil
				}
				return number(v, httpStatusCode, func(n uint64) { a.Status = int(int32(n)) })
			})
		case responseOK:
			a.Status = 0
		default:
		}
		return err
	})
	return a, err
}

// number gives the number that a message holds in a field, if it does.
func number(message []byte, field protowire.Number, found func(uint64)) error {
	return fields(message, func(f protowire.Number, v []byte, n uint64) error {
		if f == field && v == nil {
			found(n)
		}
		return nil
	})
}

// fields gives the fields of a message: v is that of bytes and never nil for them, n
// that of a varint. Others aren't given.
func fields(message []byte, found func(field protowire.Number, v []byte, n uint64) error) error {
	for len(message) > 0 {
		field, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return errMessage
		}
		message = message[length:]
		length = protowire.ConsumeFieldValue(field, kind, message)
		if length < 0 {
			return errMessage
		}
		value := message[:length:length]
		message = message[length:]
		var err error
		switch kind {
		case protowire.BytesType:
			v, _ := protowire.ConsumeBytes(value)
			err = found(field, v, 0)
		case protowire.VarintType:
			n, _ := protowire.ConsumeVarint(value)
			err = found(field, nil, n)
		default:
		}
		if err != nil {
			return err
		}
	}
	return nil
}
