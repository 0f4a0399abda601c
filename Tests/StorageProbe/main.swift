import WasmSystem
import WasmdStorage
