-- SPDX-License-Identifier: Apache-2.0
--
-- For wrk: POST of 1 KiB. The request is made once.
wrk.method = "POST"
wrk.body = string.rep("b", 1024)
wrk.headers["Content-Type"] = "application/octet-stream"
