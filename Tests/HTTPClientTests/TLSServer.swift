import Glibc
import WasmSystem

/// A server of HTTP over TLS, and certificates for it: made once by `openssl`, served by Python.
enum TLSServer {
    /// The tests need both programs.
    static let isAvailable = access("/usr/bin/openssl", X_OK) == 0 && python != nil
    private static let python: String? = ["/usr/bin/python3", "/usr/local/bin/python3"].first {
        (path: String) in access(path, X_OK) == 0
    }

    /// A folder with `ca.pem` and a file with key and certificate for each kind.
    static let folder: String = {
        var template = Array("/tmp/wasmd-tls-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return "/tmp" }
        let folder = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        run(
            """
            cd '\(folder)'
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key \
              -out ca.pem -days 30 -subj '/CN=Test CA' -addext 'basicConstraints=critical,CA:TRUE'
            make() {
                openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" \
                  -out "$1.csr" -subj '/CN=server'
                echo "subjectAltName=$2" >"$1.ext"
                openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$3" \
                  -extfile "$1.ext" -out "$1.crt"
                cat "$1.key" "$1.crt" >"$1.pem"
            }
            make good DNS:localhost,DNS:good.test,IP:127.0.0.1 30
            make othername DNS:other.test,IP:127.0.0.9 30
            make expired DNS:localhost,IP:127.0.0.1 -1
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
              -keyout self.key -out self.crt -days 30 -subj '/CN=localhost' \
              -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1'
            cat self.key self.crt >selfsigned.pem
            """)
        return folder
    }()

    static var authority: [UInt8] { Array("\(folder)/ca.pem".utf8) }

    private static func run(_ script: String) {
        do {
            let null = FileDescriptor(owning: try Kernel.open("/dev/null", .readWrite))
            let child = try ChildProcess(
                "/bin/sh", ["sh", "-ec", script].map { Array($0.utf8) },
                environment: [Array("PATH=/usr/local/bin:/usr/bin:/bin".utf8)],
                descriptors: [(0, null.number), (1, null.number), (2, null.number)])
            _ = try child.wait()
        } catch {}
    }

    private static let script = """
        import http.server, socket, ssl, sys, threading
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            def log_message(self, *arguments): pass
            def answer(self, body):
                self.send_response(200)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def do_GET(self):
                if self.path == '/stay':
                    threading.Event().wait(60)
                elif self.path in ('/until-end', '/cut'):
                    self.wfile.write(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\nall of it')
                    self.wfile.flush()
                    if self.path == '/until-end':
                        self.connection.unwrap()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                elif self.path.startswith('/bytes/'):
                    self.answer(b'x' * int(self.path[7:]))
                else:
                    self.answer(self.path.encode() + b' ' + self.headers['Host'].encode())
            def do_POST(self):
                self.answer(self.rfile.read(int(self.headers['Content-Length'])))
            # A proxy: connects to the named port of this machine.
            def do_CONNECT(self):
                wanted = self.headers.get('Proxy-Authorization')
                if self.path.startswith('refused') or (len(sys.argv) > 2 and wanted != sys.argv[2]):
                    self.send_error(403, 'not with me')
                    return
                far = socket.create_connection(('127.0.0.1', int(self.path.rsplit(':')[-1])))
                self.wfile.write(b'HTTP/1.1 200 Connected\\r\\n\\r\\n')
                self.wfile.flush()
                def copy(one, other):
                    try:
                        while data := one.recv(65536): other.sendall(data)
                    except OSError: pass
                    try: other.shutdown(socket.SHUT_WR)
                    except OSError: pass
                thread = threading.Thread(target=copy, args=(far, self.connection), daemon=True)
                thread.start()
                copy(self.connection, far)
                thread.join()
                self.close_connection = True
        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256
            def handle_error(self, *arguments): pass
        class Secure(Server):
            def finish_request(self, request, address):
                request = context.wrap_socket(request, server_side=True)
                super().finish_request(request, address)
        if sys.argv[1] != 'proxy':
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1])
        server = (Server if sys.argv[1] == 'proxy' else Secure)(('127.0.0.1', 0), Handler)
        print(server.server_address[1], flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), __import__('os')._exit(0)), daemon=True).start()
        server.serve_forever()
        """

    /// A server that runs while the object lives.
    final class Running {
        let port: UInt16
        private let input: FileDescriptor
        private let child: ChildProcess

        /// - Parameter certificate: `good`, `othername`, `expired` or `selfsigned`; nil for a proxy.
        init(_ certificate: String?, authorization: String? = nil) throws {
            let null = FileDescriptor(owning: try Kernel.open("/dev/null", .readWrite))
            let (toChild, fromChild) = (try Kernel.makePipe(), try Kernel.makePipe())
            let insideInput = FileDescriptor(owning: toChild.read)
            let insideOutput = FileDescriptor(owning: fromChild.write)
            input = FileDescriptor(owning: toChild.write)
            let outside = FileDescriptor(owning: fromChild.read)
            let file = certificate.map { "\(TLSServer.folder)/\($0).pem" } ?? "proxy"
            let words =
                ["python3", "-c", TLSServer.script, file] + (authorization.map { [$0] } ?? [])
            child = try ChildProcess(
                TLSServer.python ?? "/usr/bin/python3", words.map { Array($0.utf8) },
                environment: [],
                descriptors: [
                    (0, insideInput.number), (1, insideOutput.number), (2, null.number),
                ])
            try insideOutput.close()
            var text = ""
            var byte: UInt8 = 0
            while try withUnsafeMutableBytes(
                of: &byte, { try Kernel.read(outside.number, $0) }) == 1, byte != 10
            {
                text.unicodeScalars.append(UnicodeScalar(byte))
            }
            guard let port = UInt16(text) else { throw SystemError.noexec }
            self.port = port
        }

        deinit {
            try? child.send(Signals.kill)
            while (try? child.endIfOver()) == .some(nil) { CurrentProcess.yield() }
        }
    }
}
