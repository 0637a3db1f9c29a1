import Statistics
import TestSupport
import Testing

@Suite struct LinearModelTests {
    // Twelve invented subjects; reference results from statsmodels 0.15.0, ols("chi ~ age + C(sex) + C(site)").
    static let age: [Double?] = [23.5, 31, 44.2, 52, 58.7, 61, 66.3, 70, 75.5, 81, 39, 48]
    static let sex: [String?] = "FMFMMFFMFMMF".map { String($0) }
    static let site: [String?] = "abcabcabcabc".map { String($0) }
    static let chi: [Double?] = [41.2, 55.1, 48.9, 60.3, 66.6, 57.0, 71.2, 69.8, 77.1, 80.4, 52.2, 59.5]

    static func cohortModel() throws -> LinearModel {
        try LinearModel(
            response: chi,
            covariates: [
                .numeric("age", age, centring: .value(50)), .categorical("sex", sex), .categorical("site", site),
            ])
    }

    @Test func agreesWithStatsmodels() throws {
        let model = try Self.cohortModel()
        let expected = [
            ("Intercept", 59.39992249681101, 3.3679044545461214, 4.6421335491509685e-07, 51.43609394654388),
            ("age", 0.6274357836884243, 0.08771246299520492, 0.00018482229577704737, 0.4200287665230281),
            ("sex[M]", 0.5973870723299939, 5.086729247680844, 0.9098098273252176, -11.430816268022449),
            ("site[b]", 1.131607060557755, 4.346479459399736, 0.8020858592649527, -9.146183678188756),
            ("site[c]", -3.2767742447754387, 4.227674180846809, 0.4636672998948407, -13.273635140638463),
        ]
        #expect(model.coefficients.map(\.name) == expected.map(\.0))
        for (name, estimate, error, p, lower) in expected {
            let coefficient = try #require(model.coefficient(name))
            #expect(relativeError(coefficient.estimate, estimate) < 1e-11)
            #expect(relativeError(coefficient.standardError, error) < 1e-11)
            #expect(relativeError(coefficient.pValue, p) < 1e-10)
            #expect(relativeError(coefficient.confidenceLower, lower) < 1e-10)
            #expect(coefficient.degreesOfFreedom == 7)
        }
        #expect(relativeError(model.rSquared, 0.8969231673531468) < 1e-12)
        #expect(relativeError(model.adjustedRSquared, 0.8380221201263736) < 1e-12)
        #expect(relativeError(model.residualStandardDeviation, 4.720735768904697) < 1e-12)
        #expect(relativeError(try #require(model.overall).fStatistic, 15.227626834883406) < 1e-11)
        #expect(relativeError(try #require(model.overall).pValue, 0.0014554034518282322) < 1e-10)
        #expect(relativeError(model.leverages[1], 0.37039943486538807) < 1e-11)
        #expect(relativeError(model.leverages[11], 0.2790613224564195) < 1e-11)
        #expect(abs(model.leverages.reduce(0, +) - 5) < 1e-12)
    }

    @Test func factorTestsContrastsAndPredictionsAgreeWithStatsmodels() throws {
        let model = try Self.cohortModel()
        let site = try model.factorTest("site")
        #expect(relativeError(site.fStatistic, 0.3192014607801508) < 1e-10)
        #expect(relativeError(site.pValue, 0.7367737902614336) < 1e-10)
        #expect((site.numeratorDegreesOfFreedom, site.denominatorDegreesOfFreedom) == (2, 7))
        #expect(relativeError(try model.factorTest("age").fStatistic, 51.17006334012811) < 1e-11)

        let contrast = try model.contrast(named: "c against b", ["site[c]": 1, "site[b]": -1])
        #expect(relativeError(contrast.estimate, -4.40838131) < 1e-8)
        #expect(relativeError(contrast.standardError, 6.32004208) < 1e-8)
        #expect(relativeError(contrast.pValue, 0.50797331) < 1e-7)

        let prediction = try model.prediction(numeric: ["age": 60], levels: ["sex": "M", "site": "b"])
        #expect(relativeError(prediction.estimate, 67.40327447) < 1e-8)
        #expect(relativeError(prediction.standardError, 2.52814248) < 1e-8)
        #expect(relativeError(prediction.confidenceLower, 61.42516745) < 1e-8)
        #expect(relativeError(prediction.confidenceUpper, 73.38138148) < 1e-8)
    }

    @Test func errorsNameTheCoefficientAndTheChoices() throws {
        let model = try Self.cohortModel()
        #expect(throws: StatisticsError.unknownCoefficient("sex[F]", available: model.coefficients.map(\.name))) {
            try model.contrast(named: "", ["sex[F]": 1])
        }
        #expect(throws: StatisticsError.untestableTerm("scanner", available: ["age", "sex", "site"])) {
            try model.factorTest("scanner")
        }
        #expect(throws: StatisticsError.unknownCoefficient("site[z]", available: ["a", "b", "c"])) {
            try model.prediction(levels: ["site": "z"])
        }
    }

    @Test func missingRowsAreDroppedAndCounted() throws {
        let model = try Self.cohortModel()
        let padded = try LinearModel(
            response: [nil] + Self.chi + [10, 20, 30, .nan],
            covariates: [
                .numeric("age", [40] + Self.age + [nil, 50, .infinity, 50], centring: .value(50)),
                .categorical("sex", ["F"] + Self.sex + ["M", nil, "F", "F"]),
                .categorical("site", ["a"] + Self.site + ["a", "b", "c", "a"]),
            ])
        #expect(padded.droppedRows == 5)
        #expect(padded.rowsUsed == Array(1...12))
        #expect(padded.coefficients == model.coefficients)
    }

    @Test func aLevelThatOnlyMissingRowsHaveIsNoCoefficient() throws {
        let model = try LinearModel(
            response: Self.chi + [nil],
            covariates: [.categorical("site", Self.site + ["d"]), .numeric("age", Self.age + [33])])
        #expect(model.coefficients.map(\.name) == ["Intercept", "site[b]", "site[c]", "age"])
        #expect(model.terms[0].levels == ["a", "b", "c"])
    }

    @Test func confoundedCovariatesAreNamed() throws {
        // Scanner follows site exactly; a constant covariate follows the intercept.
        let scanner = Self.site.map { $0.map { $0 == "a" ? "A" : "B" } }
        let model = try LinearModel(
            response: Self.chi,
            covariates: [
                .categorical("site", Self.site), .categorical("scanner", scanner),
                .numeric("field", [Double?](repeating: 3, count: 12)), .numeric("age", Self.age),
            ])
        #expect(model.aliased == ["scanner[B]", "field"])
        let clean = try LinearModel(
            response: Self.chi, covariates: [.categorical("site", Self.site), .numeric("age", Self.age)])
        #expect(model.coefficients.map(\.name) == clean.coefficients.map(\.name))
        for (a, b) in zip(model.coefficients, clean.coefficients) {
            #expect(abs(a.estimate - b.estimate) < 1e-9 * max(1, abs(b.estimate)))
            #expect(a.degreesOfFreedom == b.degreesOfFreedom)
        }
        #expect(throws: StatisticsError.aliasedCoefficient("field")) { try model.contrast(named: "", ["field": 1]) }
    }

    @Test func oneLevelFactorsDropOut() throws {
        let model = try LinearModel(
            response: Self.chi,
            covariates: [.numeric("age", Self.age), .categorical("site", [String?](repeating: "only", count: 12))])
        #expect(model.coefficients.map(\.name) == ["Intercept", "age"])
        #expect(throws: StatisticsError.untestableTerm("site", available: ["age"])) { try model.factorTest("site") }
    }

    @Test func centringMovesOnlyTheIntercept() throws {
        let raw = try LinearModel(response: Self.chi, covariates: [.numeric("age", Self.age)])
        let centred = try LinearModel(response: Self.chi, covariates: [.numeric("age", Self.age, centring: .mean)])
        let mean = Self.chi.compactMap { $0 }.reduce(0, +) / 12
        #expect(relativeError(try #require(centred.coefficient("Intercept")).estimate, mean) < 1e-13)
        let (a, b) = (try #require(raw.coefficient("age")), try #require(centred.coefficient("age")))
        #expect(relativeError(a.estimate, b.estimate) < 1e-12)
        #expect(relativeError(a.standardError, b.standardError) < 1e-12)
        let (p, q) = (try raw.prediction(numeric: ["age": 42]), try centred.prediction(numeric: ["age": 42]))
        #expect(relativeError(p.estimate, q.estimate) < 1e-12)
        #expect(relativeError(p.standardError, q.standardError) < 1e-11)
    }

    @Test func withoutInterceptAFactorGivesGroupMeans() throws {
        let model = try LinearModel(
            response: [1, 3, 10, 14], covariates: [.categorical("g", ["a", "a", "b", "b"])], intercept: false)
        #expect(model.coefficients.map(\.name) == ["g[a]", "g[b]"])
        #expect(abs(model.coefficients[0].estimate - 2) < 1e-14)
        #expect(abs(model.coefficients[1].estimate - 12) < 1e-13)
        #expect(model.residualDegreesOfFreedom == 2)
    }

    @Test func badInputIsRefusedInASentence() {
        #expect(throws: StatisticsError.rowCount(covariate: "age", rows: 1, expected: 2)) {
            try LinearModel(response: [1, 2], covariates: [.numeric("age", [3])])
        }
        #expect(throws: StatisticsError.duplicateName("age")) {
            try LinearModel(response: [1, 2], covariates: [.numeric("age", [3, 4]), .numeric("age", [3, 4])])
        }
        #expect(throws: StatisticsError.tooFewRows(complete: 2, dropped: 1, coefficients: 2)) {
            try LinearModel(response: [1, 2, nil], covariates: [.numeric("age", [3, 4, 5])])
        }
        #expect(throws: StatisticsError.tooFewRows(complete: 0, dropped: 0, coefficients: 1)) {
            try LinearModel(response: [], covariates: [])
        }
        #expect(throws: StatisticsError.constantResponse(rows: 3)) {
            try LinearModel(response: [7, 7, 7], covariates: [])
        }
        #expect(throws: StatisticsError.unknownReference(covariate: "g", reference: "x", levels: ["a", "b"])) {
            try LinearModel(response: [1, 2, 3], covariates: [.categorical("g", ["a", "b", "a"], reference: "x")])
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func residualsAreOrthogonalToTheDesignAndTruthIsCovered(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var covered = 0
        let repeats = 200
        for _ in 0..<repeats {
            let age = (0..<40).map { _ in 20 + 60 * random.uniform() }
            let group = (0..<40).map { _ in random.uniform() < 0.5 ? "control" : "patient" }
            let chi = zip(age, group).map { 50 + 0.8 * $0 + ($1 == "patient" ? 16 : 0) + 9 * random.gaussian() }
            let model = try LinearModel(
                response: chi, covariates: [.numeric("age", age), .categorical("group", group, reference: "control")])
            #expect(abs(zip(age, model.residuals).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-8)
            #expect(abs(model.residuals.reduce(0, +)) < 1e-9)
            let effect = try #require(model.coefficient("group[patient]"))
            if effect.confidenceLower < 16 && 16 < effect.confidenceUpper { covered += 1 }
        }
        // 95 % of 200 is 190; below 178 has a chance of about 1 in 10,000.
        #expect(covered > 178 && covered < 200, "seed \(seed): \(covered) of \(repeats) intervals hold the truth")
    }
}
