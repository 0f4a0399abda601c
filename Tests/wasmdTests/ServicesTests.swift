import Testing

@testable import wasmd

/// `wasmd services` and `wasmd run --allow-host`, as their users call them, with servers in Python.
@Suite struct ServicesTests {
    /// An HTTP server that prints requests, free ports, and a client of the messages' port.
    private static let prelude = """
        import http.server, os, shutil, signal, socket, subprocess, sys, threading, time
        wasmd, examples, folder = sys.argv[1:4]
        seen = []
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            def answer(self):
                size = int(self.headers.get('content-length') or 0)
                seen.append((self.command, self.path, self.headers.get('content-type'),
                    self.headers.get('host'), self.rfile.read(size).decode()))
                body = b'123456' if self.path == '/get' else b'thanks'
                self.send_response(302 if '?' in self.path else 200)
                if '?' in self.path: self.send_header('location', self.path.split('?', 1)[1])
                self.send_header('content-length', str(len(body)))
                self.send_header('x-test', 'yes')
                self.end_headers()
                self.wfile.write(body)
            do_GET = do_POST = do_BREW = do_put = answer
            def log_message(self, *words): pass
        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
        def sink():
            server = Server(('127.0.0.1', 0), Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return server.server_address[1]
        def free():
            s = socket.socket()
            s.bind(('127.0.0.1', 0))
            return s.getsockname()[1]
        def ask(port, *commands, patience=3):
            s = socket.create_connection(('127.0.0.1', port))
            s.settimeout(patience)
            answers = []
            for command in commands:
                s.sendall(command.encode())
                try: answers.append(s.recv(1000).decode() if command.startswith('read ') else '')
                except TimeoutError: answers.append(None)
                if not command.startswith('read '): time.sleep(0.05)
            s.close()
            return answers
        def wait(condition, what):
            end = time.time() + 60
            while not condition():
                if time.time() > end: sys.exit('waited in vain: ' + what)
                time.sleep(0.02)
        def text(name):
            with open(folder + '/' + name) as file: return file.read()
        def start(*words):
            return subprocess.Popen([wasmd, *words], stdout=open(folder + '/out', 'w'),
                stderr=open(folder + '/err', 'w'))
        def solution(port, layout=''):
            root = folder + '/root'
            shutil.copytree(examples, root + layout)
            path = root + layout + '/gateway_module/config.toml'
            with open(path) as file: config = file.read()
            with open(path, 'w') as file: file.write(config.replace('9000', str(port)))
            return root
        def end(process):
            process.send_signal(signal.SIGTERM)
            print('status', process.wait(20))

        """

    private func drive(_ script: String) throws -> ProcessResult {
        let folder = try TemporaryFolder()
        return try run(
            "/usr/bin/python3",
            [
                "-c", Self.prelude + script, Wasmd.path, Repository.root + "/Examples/Services",
                folder.path,
            ])
    }

    @Test func theThreeModules() throws {
        let result = try drive(
            """
            port, messages = sink(), free()
            process = start('services', '--root', solution(port), '-g', f'http://127.0.0.1:{port}',
                '-s', f'127.0.0.1:{messages}')
            wait(lambda: len(seen) > 3, 'requests')
            print(ask(messages, 'read alert', 'alert hi', 'alert two words', 'read alert',
                'read alert', 'read alert', 'read nope'))
            end(process)
            method, path, type, host, body = seen[2]
            print(method, path, type, host == f'127.0.0.1:{port}')
            print(all(r[4].startswith('telemetry ') for r in seen))
            start = 'telemetry {"device Id" : "001", "temperature" : '
            print(any(r[4].startswith(start) for r in seen))
            out = text('out')
            for words in ['Initialising host service...', 'Server Module Path: ',
                'Gateway Module Path: ', 'Telemetry Module Path: ',
                "Z Module: Psuedo Pub-Sub Messaging, Message: Initialising module with: file "
                "descriptor: '4', read buffer size: '1024'",
                "Z Module: Simulated Telemetry, Message: Initialising module with telemetry "
                "interval of '100' ms",
                'Z Module: Data Egress Gateway, Message: Received message telemetry ',
                'Z Module: Data Egress Gateway, Message: Message 1 sent, http status returned: 200',
                'Z Module: Data Egress Gateway, Message: body: thanks',
                "Z Module: Wasm Host, Message: Sending cmd 'read telemetry' on the messaging layer "
                'via host func.']:
                if words not in out: print('missing:', words)
            """)
        #expect(
            result.output == """
                ['alert empty', '', '', 'alert hi', 'alert two words', 'alert empty', None]
                status 0
                POST /post application/text True
                True
                True

                """, "\(result.error)")
    }

    @Test func aModuleThatFailsIsStartedAgain() throws {
        let result = try drive(
            """
            port, messages = sink(), free()
            process = start('services', '--root', solution(port, '/modules'),
                '--gateway-allowed-host', 'localhost', '--server-socket-address',
                f'127.0.0.1:{messages}')
            wait(lambda: 'gateway: ' in text('err'), 'the refusal')
            # The server ends at a command without a space.
            ask(messages, 'nospace')
            wait(lambda: 'server: ' in text('err'), 'the failure')
            print(ask(messages, 'read alert', patience=30))
            print('Could not make post request: 7' in text('err'))
            print('It is started again in 0.5 s.' in text('err'))
            print(len(seen), '/modules/server_module/target/' in text('out'))
            end(process)
            """)
        #expect(
            result.output == """
                ['alert empty']
                True
                True
                0 True
                status 0

                """, "\(result.error)")
    }

    @Test func theHostAsServer() throws {
        let result = try drive(
            """
            port, messages = sink(), free()
            process = start('services', '--root', solution(port), '-g', f'http://127.0.0.1:{port}',
                '-s', f'127.0.0.1:{messages}', '--native-server')
            wait(lambda: any('device Id' in r[4] for r in seen), 'telemetry')
            print(ask(messages, 'read alert', 'alert hi', 'nospace', 'read alert', 'read alert',
                'nope x', 'read nope'))
            print('Server Module Path' in text('out'))
            end(process)
            """)
        #expect(
            result.output == """
                ['alert empty', '', '', 'alert hi', 'alert empty', '', None]
                False
                status 0

                """, "\(result.error)")
    }

    @Test func whatCannotStartEndsAtOnce() throws {
        let folder = try TemporaryFolder()
        func failure(_ words: String...) throws -> (Int32, String) {
            let result = try run(Wasmd.path, ["services"] + words)
            return (result.status, result.error)
        }
        let root = Repository.root + "/Examples/Services"
        let none = try failure("--root", root, "-s", "127.0.0.1:0")
        #expect(none.0 == 1 && none.1.contains("--gateway-allowed-host is missing"))
        let address = try failure("--root", root, "-g", "http://x")
        #expect(address.0 == 1 && address.1.contains("--server-socket-address is missing"))
        let nowhere = try failure(
            "--root", folder.path + "/x", "-g", "http://x", "-s", "127.0.0.1:0")
        #expect(nowhere.0 == 1)
        let empty = try failure("--root", folder.path, "-g", "http://x", "-s", "127.0.0.1:0")
        #expect(empty.0 == 1)
        let places = [
            "/server_module/target/wasm32-wasi/release/server_module.wasm",
            "/server_module/target/wasm32-wasi/debug/server_module.wasm",
            "/modules/server_module/target/wasm32-wasi/release/server_module.wasm",
            "/modules/server_module/target/wasm32-wasi/debug/server_module.wasm",
        ]
        let lines = places.map { "  " + folder.path + $0 }.joined(separator: "\n")
        #expect(empty.1.contains(lines))
        #expect(try failure("-g", "http://", "-s", "127.0.0.1:0").0 == 2)
        #expect(try failure("-g", "http://x", "-s", "x").0 == 2)
        #expect(try failure("lsit").0 == 2)
        #expect(try failure("restart").0 == 2)
    }

    /// The values that a reference host returned.
    @Test func aProgramThatSendsRequests() throws {
        let result = try drive(
            """
            port, other = sink(), sink()
            base = f'http://127.0.0.1:{port}'
            urls = [f'/r?/get', f'/r?http://127.0.0.1:{other}/get', f'/r?http://localhost:{other}/a',
                f'/r?http://127.0.0.2:{other}/b', f'/r?http://2130706433:{other}/c']
            environment = dict(os.environ, http_proxy=f'http://localhost:{other}/proxy',
                HTTP_PROXY=f'http://localhost:{other}/proxy')
            result = subprocess.run([wasmd, 'run', '--allow-host', base, examples + '/probe/probe.wasm',
                base] + [base + u for u in urls], capture_output=True, text=True, env=environment)
            print(result.stdout.replace(str(port), 'PORT').replace(str(other), 'OTHER'), end='')
            print('status', result.returncode, result.stderr)
            print(sorted(set(r[1] for r in seen if len(r[1]) == 2)))
            print(all(r[3] in (f'127.0.0.1:{port}', f'127.0.0.1:{other}') for r in seen))
            print([(r[0], r[4]) for r in seen if r[0] in ('BREW', 'put')])
            """)
        #expect(
            result.output == """
                get=0 status=200 handle=0
                header=0 (yes)
                header missing=5
                header small=4
                header exact=0
                header handle=1
                header name=6
                header memory=4
                header out=3
                all small=4
                all=0
                body=0 "1234"
                body=0 "56"
                body=0 ""
                body handle=1
                close=0
                close unknown=0
                header closed=1
                not allowed=7
                method=8
                method empty=8
                url=10
                headers=9
                header name=9
                utf8=6
                memory=4
                out=3
                http://127.0.0.1:PORT/r?/get=0 status=200 handle=0 body=123456
                http://127.0.0.1:PORT/r?http://127.0.0.1:OTHER/get=0 status=200 handle=0 body=123456
                http://127.0.0.1:PORT/r?http://localhost:OTHER/a=7
                http://127.0.0.1:PORT/r?http://127.0.0.2:OTHER/b=7
                http://127.0.0.1:PORT/r?http://2130706433:OTHER/c=7
                42 open responses, then 13
                full before memory=13
                status 0 \n[]
                True
                [('BREW', 'coffee'), ('put', '')]

                """, "\(result.error)")
        let probe = Repository.root + "/Examples/Services/probe/probe.wasm"
        let refused = try run(Wasmd.path, ["run", probe, "http://127.0.0.1:1"])
        #expect(refused.status == 1)
        #expect(refused.error.contains("--allow-host URL"))
        #expect(try run(Wasmd.path, ["run", "--allow-host", "http://", probe]).status == 2)
    }

    /// The general form, in a daemon.
    @Test func sectionsOfTheConfiguration() throws {
        let result = try drive(
            """
            port, web = sink(), free()
            shutil.copytree(examples, folder + '/root')
            with open(folder + '/secret', 'w') as file: file.write('hunter22\\n')
            with open(folder + '/wasmd.toml', 'w') as file: file.write(f'''
            data = "{folder}/data"
            [executor]
            listen = ["127.0.0.1:{web}"]
            [service.telemetry]
            module = "{examples}/telemetry_module/target/wasm32-wasi/release/telemetry_module.wasm"
            config = "./telemetry_module/config.toml"
            folders = ["{folder}/root::.:ro"]
            publish = ["telemetry"]
            [service.probe]
            module = "{examples}/probe/probe.wasm"
            arguments = ["http://127.0.0.1:{port}"]
            allowed_hosts = ["http://127.0.0.1"]
            secrets = ["PASSWORD=file:{folder}/secret"]
            restart = "never"
            [service.late]
            module = "{examples}/probe/probe.wasm"
            schedule = "0 0 29 2 *"
            ''')
            process = start('serve', '--config', folder + '/wasmd.toml', '--no-sandbox')
            def control(*words):
                return subprocess.run([wasmd, 'services', *words, '--server', f'http://127.0.0.1:{web}'],
                    capture_output=True, text=True).stdout
            wait(lambda: 'probe  ended' in control('list'), 'the probe')
            lines = [l.split('  ')[:3] for l in control('list').splitlines()]
            print(lines)
            print('42 open responses, then 13' in control('logs', 'probe'))
            print('Initialising module with telemetry interval' in control('logs', 'telemetry'))
            print(control('restart', 'telemetry'), end='')
            wait(lambda: 'telemetry  ready  2 starts' in control('list'), 'the restart')
            end(process)
            """)
        #expect(
            result.output == """
                [['telemetry', 'ready', '1 starts'], ['probe', 'ended', '1 starts'], ['late', 'waiting', '0 starts']]
                True
                True
                restarting telemetry
                status 0

                """, "\(result.error)")
    }

    @Test func mistakesInSectionsNameTheirPlace() throws {
        let folder = try TemporaryFolder()
        let text = """
            [service.a]
            call = "init"
            allowed_hosts = ["http://"]
            schedule = "60 * * * *"
            folders = ["x:rw"]
            secrets = ["A=B"]
            publish = ["a b"]
            restart = "sometimes"
            modul = "x"
            after = ["b"]
            [service."x y"]
            module = "a.wasm"
            """
        try folder.write("wasmd.toml", Array(text.utf8))
        let result = try run(Wasmd.path, ["serve", "--check", folder.path + "/wasmd.toml"])
        #expect(result.status != 0)
        let said = result.output + result.error
        for part in [
            "service.a.module: is missing", "service.a.config: is missing",
            "wasmd.toml:3:", "service.a.allowed_hosts", "wasmd.toml:4:", "crontab", "wasmd.toml:5:",
            "service.a.folders",
            "NAME=file:PATH", "service.a.publish", "always, on-failure or never", "modul",
            "there is no [service.b]", "letters, digits",
        ] {
            #expect(said.contains(part), "\(part) in \(said)")
        }
    }
}
