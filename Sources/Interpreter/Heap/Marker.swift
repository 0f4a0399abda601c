// Invariants: what is on the stack are offsets of marked objects whose contents were not followed
// yet; or the stack overflowed, and there may be more such objects.

import WasmMachine
import WasmSystem

/// Offsets of objects, in memory that grows up to a limit.
struct MarkStack {
    private(set) var offsets: UnsafeMutablePointer<UInt>?
    private(set) var capacity = 0
    /// The most entries: beyond, the heap is searched for what was left out.
    var maximum = 1 << 26

    /// Makes room for one more than `count`; false if there is none.
    mutating func grow() -> Bool {
        let wanted = min(max(1024, capacity * 2), maximum)
        guard wanted > capacity, let memory = Allocation.resized(offsets, wanted * 8) else {
            return false
        }
        offsets = memory.bindMemory(to: UInt.self, capacity: wanted)
        capacity = wanted
        return true
    }

    /// Gives up memory that only one deep structure needed.
    mutating func shrink() {
        if capacity > 1 << 16 { release() }
    }

    mutating func release() {
        Allocation.free(offsets)
        offsets = nil
        capacity = 0
    }
}

/// Marks what can be reached from what it is given. Uses no native stack of its own.
struct Marker {
    private let space: HeapSpace
    private let types: UnsafeMutablePointer<TypeRecord>
    private let externs: ExternTable
    private var stack: MarkStack
    private var count = 0
    private var overflowed = false
    /// The store whose guest may be stopped meanwhile.
    private let guest: Store?
    private var steps = 0
    /// Why the guest is to stop: the marks are not complete.
    private(set) var stop: TrapCode?

    init(_ heap: Heap, of guest: Store?) {
        self.guest = guest
        space = heap.space
        types = heap.types
        externs = heap.externs
        stack = heap.markStack
    }

    /// Follows everything that was marked; then the marks are complete, unless the guest is to stop.
    mutating func finish(_ heap: Heap) {
        drain()
        while overflowed && stop == nil {
            overflowed = false
            forEachMarked { $0.follow($1) }
        }
        heap.markStack = stack
    }

    // MARK: Values

    /// A slot or field of a type that can refer to an object or a value of the host.
    @inline(__always)
    mutating func mark(_ value: UInt64) {
        if value & 7 == 0 {
            let offset = UInt(truncatingIfNeeded: value) &- space.base
            if offset < space.extent && space.mark(offset) { push(offset) }
        } else if value & 7 == ExternTable.tag {
            externs.mark(value)
        }
    }

    /// A slot of unknown type: it counts if it is the address of an object.
    @inline(__always)
    mutating func markCandidate(_ value: UInt64) {
        if value & 7 == 0 {
            if space.isObject(value) { mark(value) }
        } else if value & 7 == ExternTable.tag {
            externs.mark(value)
        }
    }

    mutating func mark(_ values: UnsafePointer<UInt64>, count: Int) {
        for index in 0..<count {
            mark(values[index])
            if self.count > 4096 { drain() }
            if index & 0xffff == 0xffff, isStopped() { return }
        }
    }

    mutating func markCandidates(_ values: UnsafePointer<UInt64>, count: Int) {
        for index in 0..<count {
            markCandidate(values[index])
            if index & 0xffff == 0xffff, isStopped() { return }
        }
    }

    // MARK: Following

    @inline(__always)
    private mutating func push(_ offset: UInt) {
        if count == stack.capacity && !stack.grow() {
            overflowed = true
            return
        }
        stack.offsets.unsafelyUnwrapped[count] = offset
        count &+= 1
    }

    private mutating func drain() {
        while count > 0 {
            count &-= 1
            follow(stack.offsets.unsafelyUnwrapped[count])
            steps &+= 1
            if steps & 4095 == 0, isStopped() { count = 0 }
        }
    }

    private mutating func isStopped() -> Bool {
        if stop == nil { stop = guest?.stopRequest() }
        return stop != nil
    }

    /// Marks what an object refers to.
    private mutating func follow(_ offset: UInt) {
        let object = space.pointer(space.base &+ offset)
        let header = object.load(as: UInt32.self)
        let length = Int(object.load(fromByteOffset: ArrayLayout.lengthOffset, as: UInt32.self))
        let elements = (object + ArrayLayout.elementsOffset).assumingMemoryBound(to: UInt64.self)
        let type = Int(header & ObjectKind.typeMask)
        switch header &>> ObjectKind.shift {
        case ObjectKind.structure.rawValue:
            guard let references = types[type].references else { return }
            for index in 0..<Int(types[type].referenceCount) {
                mark(object.load(fromByteOffset: Int(references[index]), as: UInt64.self))
            }
        case ObjectKind.array.rawValue:
            guard types[type].hasReferences else { return }
            for index in 0..<length {
                mark(elements[index])
                if index & 0xffff == 0xffff, isStopped() { return }
            }
        case ObjectKind.slots.rawValue: markCandidates(elements, count: length)
        default: break
        }
    }

    /// Calls `body` with all marked objects, and follows what it marks.
    private mutating func forEachMarked(_ body: (inout Marker, UInt) -> Void) {
        for block in 0..<space.frontier {
            let description = space.blocks[block]
            let start = space.address(ofBlock: block) &- space.base
            switch description.use {
            case .free, .continuation: continue
            case .largeObject:
                if space.isMarked(start) { body(&self, start) }
            case .cells:
                let size = UInt(description.cellSize)
                var offset: UInt = 0
                while offset &+ size <= UInt(HeapSpace.blockSize) {
                    if space.isMarked(start &+ offset) { body(&self, start &+ offset) }
                    offset &+= size
                }
            }
            drain()
            if stop != nil { return }
        }
    }
}
