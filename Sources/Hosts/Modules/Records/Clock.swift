import WasmSystem
import WasmdDocuments
import WasmdWasmiot

/// The time of documents.
enum Clock {
    /// Since 1970.
    static var milliseconds: Int64 { Int64(clamping: SystemClock.realtime.now / 1_000_000) }

    static var text: Document { .string(ISOTime.text(milliseconds)) }
}

extension Document {
    /// Sets a member: in its place if there is one with the name, else at the end. Does nothing if
    /// this is no object.
    mutating func set(_ name: String, _ value: Document?) {
        guard case .object(var members) = self else { return }
        let index = members.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
        switch (index, value) {
        case (let index?, let value?): members[index].value = value
        case (nil, let value?): members.append(.init(name, value))
        case (let index?, nil): members.remove(at: index)
        case (nil, nil): return
        }
        self = .object(members)
    }

    /// Without a member.
    func without(_ name: String) -> Document {
        var copy = self
        copy.set(name, nil)
        return copy
    }
}
