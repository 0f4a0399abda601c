import Glibc
import Testing
import WasmdEventLoop
import WasmdImages
import WasmdOthismo

/// An image in a folder that is removed with it.
private final class ImageFolder {
    private let path: String
    let image: Image

    init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/othismo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ImageError.closed }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        image = try Image.create(Array("\(path)/a.simg".utf8))
    }

    deinit {
        image.close()
        remove("\(path)/a.simg")
        remove(path)
    }
}

@Suite struct ImageServerTests {
    /// Whoever waits for a job of a server that ends is told: those whose job waits, and those that
    /// come later.
    @Test func jobsOfAServerThatStopsEnd() throws {
        let folder = try ImageFolder()
        // It is not started, so that its jobs wait.
        let server = try ImageServer(folder.image)
        let errors: [ImageError?] = try EventLoop().run { loop in
            let waiting = loop.spawn { await Self.error(of: server, loop) }
            try await loop.sleep(for: .milliseconds(20))
            server.stop()
            return [await waiting.value, await Self.error(of: server, loop)]
        }
        #expect(errors == [.closed, .closed])
        withExtendedLifetime(folder) {}
    }

    private static func error(of server: ImageServer, _ loop: EventLoop) async -> ImageError? {
        do {
            try await server.perform(on: loop) { _ in }
            return nil
        } catch {
            return error as? ImageError
        }
    }
}
