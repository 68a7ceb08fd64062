// Package route finds the most specific of many path patterns for a path, in
// time that depends on the path and not on how many patterns there are.
//
// A pattern is a path whose segments are literal, "*" or "{name}" (any one
// segment), or, at its end only, "**" (any number of segments, none too). Of two
// patterns that match, the more specific is the one that is literal, or is not
// "**", in the first segment in which they differ in kind. Names of variables
// make no difference. A slash at the end of a path or pattern means nothing: an
// upstream that ignores it shall not be reached past a pattern.
package route
