import Testing

@testable import WasmdImages
