// Soundness: a response is used by its loop's thread only; the stream of its connection checks
// this.

import WasmdEventLoop
import WasmdHTTP

/// A response of a server, with access to its body.
///
/// The connection is reused if the body was read to its end, and closed if the response is released
/// before.
public final class ClientResponse: @unchecked Sendable {
    public let head: ResponseHead
    /// The URL of the response, after redirects.
    public let url: URL
    private let client: HTTPClient
    private var connection: ClientConnection?
    /// Fields after the body, when its end was read.
    public private(set) var trailers = Fields()

    init(
        _ head: ResponseHead, _ url: URL, _ connection: ClientConnection, _ client: HTTPClient
    ) {
        self.head = head
        self.url = url
        self.connection = connection
        self.client = client
    }

    deinit { connection?.stream.close() }

    public var status: Status { head.status }
    public var fields: Fields { head.fields }

    /// The next bytes of the body; nil at its end. The server must wait while this is not called.
    public func next() async throws(HTTPClientError) -> [UInt8]? {
        guard let connection else { return nil }
        guard connection.stream.loop.isCurrent else { throw .loop(.wrongLoop) }
        do throws(HTTPClientError) {
            if let piece = try await connection.nextPiece() { return piece }
        } catch {
            self.connection = nil
            connection.close()
            throw error
        }
        trailers = connection.trailers
        self.connection = nil
        client.finish(connection)
        return nil
    }

    /// The whole body.
    ///
    /// - Parameter limit: if it is longer, `.response(.bodyTooLarge)`.
    public func body(limit: Int = 64 << 20) async throws(HTTPClientError) -> [UInt8] {
        var body: [UInt8] = []
        while let piece = try await next() {
            if body.count + piece.count > limit {
                close()
                throw .response(.bodyTooLarge)
            }
            body += piece
        }
        return body
    }

    /// Ends the response and closes its connection.
    public func close() {
        connection?.close()
        connection = nil
    }
}
