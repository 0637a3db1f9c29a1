import Statistics
import Testing

@Suite struct WithinClassSlopeTests {
    /// Values of two classes on two lines of one slope: between them lies what the classes differ in, and no slope.
    @Test func whatClassesDifferInIsNoSlope() {
        let ages = [20.0, 30, 40, 50, 60, 70]
        let classes = [0, 0, 0, 1, 1, 1]
        let values = zip(ages, classes).map { 3 * $0 + ($1 == 1 ? -500 : 0) }
        let slopes = WithinClassSlopes.fit(values: values, covariates: [ages], classes: classes)
        #expect(slopes.count == 1 && abs(slopes[0] - 3) < 1e-12)
    }

    @Test func severalCovariatesAreFittedTogether() {
        let x = [1.0, 2, 3, 4, 5, 6, 7, 8], z = [2.0, 1, 4, 4, 5, 9, 7, 3]
        let classes = [0, 1, 0, 1, 0, 1, 0, 1]
        let values = x.indices.map { 2 * x[$0] - 0.5 * z[$0] + Double(classes[$0]) }
        let slopes = WithinClassSlopes.fit(values: values, covariates: [x, z], classes: classes)
        #expect(abs(slopes[0] - 2) < 1e-12 && abs(slopes[1] + 0.5) < 1e-12)
    }

    /// A covariate that does not vary within classes, or says what an earlier one does, has no slope.
    @Test func whatCannotBeToldApartHasNoSlope() {
        let x = [1.0, 2, 3, 4, 5, 7]
        let classes = [0, 0, 0, 1, 1, 1]
        let constant = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1], ofClass = [5.3, 5.3, 5.3, 7.1, 7.1, 7.1]
        let twice = x.map { 2 * $0 + 1 }
        let slopes = WithinClassSlopes.fit(
            values: x.map { 4 * $0 }, covariates: [constant, x, ofClass, twice], classes: classes)
        #expect(slopes[0] == 0 && abs(slopes[1] - 4) < 1e-12 && slopes[2] == 0 && slopes[3] == 0)
        #expect(WithinClassSlopes.fit(values: [], covariates: [[]], classes: []) == [0])
        #expect(WithinClassSlopes.fit(values: [1, 2], covariates: [], classes: [0, 1]) == [])
    }
}
