import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient

/// Sends one request for each URL over one client, and prints status and length of the body, or the
/// error.
func get(_ words: [String], proxy: String?) throws {
    try EventLoop().run { loop in
        var options = HTTPClientOptions()
        if let proxy, let url = URL(proxy.utf8), let port = url.port {
            options.proxy = HTTPProxy(host: url.authority.host, port: port)
        }
        let client = HTTPClient(options, on: loop)
        for word in words {
            guard let url = URL(word.utf8) else {
                print("no URL")
                continue
            }
            do {
                let response = try await client.send(ClientRequest(.get, url))
                print(response.status.code, try await response.body().count)
            } catch {
                print(error)
            }
        }
        print("connections", client.connectionCount)
    }
}
