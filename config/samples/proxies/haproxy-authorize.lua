-- The action lua.apikey-authorize asks the auth server about a request:
--
--   http-request lua.apikey-authorize http://127.0.0.1:9002/authorize/haproxy/<namespace>/<API>
--
-- An allowed request goes on with txn.apikey set to "allowed", the key's identity
-- in its headers and the key taken out. A denied one ends with the auth server's
-- response. Anything else goes on without txn.apikey: it is for the configuration
-- to deny it.
local timeout = 2000 -- milliseconds

-- Headers that the auth server isn't sent: they are about the client's own
-- connection and body, or ours to write.
local unsent = {
	["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
	["transfer-encoding"] = true, ["upgrade"] = true, ["http2-settings"] = true, ["host"] = true, ["expect"] = true,
	["content-length"] = true, ["content-encoding"] = true, ["content-type"] = true, ["accept-encoding"] = true,
}
-- Headers of the auth server's response that a client isn't sent.
local untold = {
	["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true, ["date"] = true,
	["x-apikey-status"] = true,
}

-- ours holds for headers that a client may not send on: those of the key's
-- identity, also in spellings that some upstreams can't tell from ours, as
-- X_Apikey_Name or X.Apikey.Name.
local function ours(name)
	return name:find("^x%Wapikey%W") ~= nil
end

-- values turns a header's values, counted from 0, into a list.
local function values(of)
	local list = {}
	for i = 0, #of do
		list[i + 1] = of[i]
	end
	return list
end

local function question(txn, headers)
	local ask = {}
	for name, of in pairs(headers) do
		if not (unsent[name] or ours(name) or name:find("^x%Wforwarded%W")) then
			ask[name] = values(of)
		end
	end
	local hops = headers["x-forwarded-for"] and values(headers["x-forwarded-for"]) or {}
	table.insert(hops, txn.f:src())
	ask["x-forwarded-for"] = { table.concat(hops, ", ") }
	ask["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" }
	ask["x-forwarded-method"] = { txn.f:method() }
	ask["x-forwarded-host"] = headers["host"] and values(headers["host"]) or nil
	ask["x-forwarded-uri"] = { txn.f:pathq() or txn.f:url() } -- no path: that is refused
	return ask
end

local function first(headers, name)
	local value = headers[name] and headers[name][0]
	if value ~= "" then
		return value
	end
end

local function allow(txn, headers, answer)
	for name in pairs(headers) do
		if ours(name) then
			txn.http:req_del_header(name)
		end
	end
	for name in pairs(answer) do
		if ours(name) and name ~= "x-apikey-remove" and first(answer, name) then
			txn.http:req_set_header(name, first(answer, name))
		end
	end
	local remove = first(answer, "x-apikey-remove")
	if remove then
		txn.http:req_del_header(remove)
	end
	for name, variable in pairs({ ["ratelimit"] = "txn.apikey_ratelimit", ["ratelimit-policy"] = "txn.apikey_ratelimit_policy" }) do
		if first(answer, name) then
			txn:set_var(variable, first(answer, name))
		end
	end
	txn:set_var("txn.apikey", "allowed")
end

-- deny ends the request. What its status is to the client is in a header: to us it
-- is never 2xx. What has no such header isn't from the auth server.
local function deny(txn, response)
	local reply = txn:reply({ status = tonumber(first(response.headers, "x-apikey-status")), body = response.body })
	for name, of in pairs(response.headers) do
		if not untold[name] then
			for _, value in ipairs(values(of)) do
				reply:add_header(name, value)
			end
		end
	end
	txn:done(reply)
end

core.register_action("apikey-authorize", { "http-req" }, function(txn, url)
	txn:unset_var("txn.apikey")
	local headers = txn.http:req_get_headers()
	local response = core.httpclient():get({
		url = url,
		headers = question(txn, headers),
		timeout = timeout,
	})
	if response.status == 200 then
		allow(txn, headers, response.headers)
	elseif response.headers and first(response.headers, "x-apikey-status") then
		deny(txn, response)
	end
end, 1)
