/// The register instruction set: every family, in the order of instruction numbers.
///
/// Adding a row adds its instructions; `swift run generate-instructions` writes the handlers.
public let instructionSet: [Family] =
    integerFamilies + floatFamilies + conversionFamilies + memoryFamilies + controlFamilies
    + callFamilies + dataFamilies + fusedFamilies + atomicFamilies + exceptionFamilies
    + referenceFamilies + vectorFamilies + observationFamilies
