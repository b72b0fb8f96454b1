//! Tokens that tell by their own shape: a fixed prefix and a body of known letters, or a fixed
//! inner mark with known lengths around it. One table, one matcher.
//!
//! A body longer than its format says is masked whole: a token of a newer length is still a token.
//! *Source*: the vendors' published token formats.

use super::source::{Found, Source, is_base64, is_word};

/// The longest token that is followed to its end, in bytes. What is longer is masked up to here and
/// then on, piece by piece, by nothing: no known format comes near.
const TOKEN_BYTES_MAX: usize = 65_536;

/// Which letters a token's body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_` and `-`.
    Word,
    /// As `Word`, and `.`.
    Dotted,
    /// As `Dotted`, and the rest of base64 and `~ % :`.
    Wide,
    /// Hexadecimal digits and `-`.
    Hex,
    /// Upper-case letters and digits.
    Upper,
}

/// How many alphabets there are.
pub(super) const BODIES: usize = 6;

impl Body {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => is_word(byte) || byte == b'-',
            Self::Dotted => is_word(byte) || matches!(byte, b'-' | b'.'),
            Self::Wide => is_base64(byte) || matches!(byte, b'.' | b'~' | b'%' | b':'),
            Self::Hex => byte.is_ascii_hexdigit() || byte == b'-',
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        }
    }
}

/// What may stand before a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Anything: the prefix is rare enough by itself.
    Any,
    /// No letter or digit: the prefix is the end of ordinary words as well.
    Border,
}

/// One fixed-prefix format.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) prefix: &'static str,
    kind: &'static str,
    body: Body,
    least: usize,
    left: Left,
}

const fn any(prefix: &'static str, kind: &'static str, body: Body, least: usize) -> Token {
    Token {
        prefix,
        kind,
        body,
        least,
        left: Left::Any,
    }
}

const fn word(prefix: &'static str, kind: &'static str, body: Body, least: usize) -> Token {
    Token {
        prefix,
        kind,
        body,
        least,
        left: Left::Border,
    }
}

/// The formats with a fixed prefix.
#[rustfmt::skip]
pub(super) const TOKENS: &[Token] = &[
    // Code hosting and building.
    any("ghp_", "github-token", Body::Alnum, 20), any("gho_", "github-token", Body::Alnum, 20),
    any("ghu_", "github-token", Body::Alnum, 20), any("ghs_", "github-token", Body::Dotted, 20),
    any("ghr_", "github-token", Body::Alnum, 20), any("github_pat_", "github-token", Body::Word, 20),
    any("glpat-", "gitlab-token", Body::Dotted, 16), any("gldt-", "gitlab-token", Body::Dotted, 16),
    any("glrt-", "gitlab-token", Body::Dotted, 16), any("glptt-", "gitlab-token", Body::Dotted, 16),
    any("glft-", "gitlab-token", Body::Dotted, 16), any("glsoat-", "gitlab-token", Body::Dotted, 16),
    any("glcbt-", "gitlab-token", Body::Dotted, 16), any("glimt-", "gitlab-token", Body::Dotted, 16),
    any("glagent-", "gitlab-token", Body::Dotted, 16), any("gloas-", "gitlab-token", Body::Dotted, 16),
    any("glffct-", "gitlab-token", Body::Dotted, 16), any("glrtr-", "gitlab-token", Body::Dotted, 16),
    any("GR1348941", "gitlab-token", Body::Word, 16),
    any("ATBB", "bitbucket-token", Body::Alnum, 24), any("BBDC-", "bitbucket-token", Body::Wide, 30),
    any("ATATT3x", "atlassian-token", Body::Wide, 40), any("ATCTT3x", "atlassian-token", Body::Wide, 40),
    any("CCIPAT_", "circleci-token", Body::Word, 30), any("CCIPRJ_", "circleci-token", Body::Word, 30),
    any("bkua_", "buildkite-token", Body::Hex, 32), any("sqp_", "sonar-token", Body::Hex, 32),
    any("squ_", "sonar-token", Body::Hex, 32), any("sqa_", "sonar-token", Body::Hex, 32),
    any("AKCp", "artifactory-token", Body::Alnum, 50), any("cmVmdGtu", "artifactory-token", Body::Alnum, 40),
    any("pul-", "pulumi-token", Body::Hex, 32), any("lip_", "launchpad-token", Body::Alnum, 30),
    any("dp.pt.", "doppler-token", Body::Alnum, 30), any("dp.st.", "doppler-token", Body::Dotted, 30),
    any("dp.ct.", "doppler-token", Body::Alnum, 30), any("dp.sa.", "doppler-token", Body::Alnum, 30),
    any("dp.scim.", "doppler-token", Body::Alnum, 30), any("dp.audit.", "doppler-token", Body::Alnum, 30),
    // Package registries.
    any("npm_", "npm-token", Body::Alnum, 30), any("pypi-AgE", "pypi-token", Body::Word, 30),
    any("rubygems_", "rubygems-token", Body::Hex, 32), any("dckr_pat_", "docker-token", Body::Word, 20),
    any("dckr_oat_", "docker-token", Body::Word, 20), any("CLOJARS_", "clojars-token", Body::Alnum, 40),
    word("cio", "crates-token", Body::Alnum, 32), any("oy2", "nuget-token", Body::Alnum, 43),
    // Clouds.
    any("AKIA", "aws-access-key-id", Body::Upper, 16), any("ASIA", "aws-access-key-id", Body::Upper, 16),
    any("ABIA", "aws-access-key-id", Body::Upper, 16), any("ACCA", "aws-access-key-id", Body::Upper, 16),
    any("IQoJb3JpZ2lu", "aws-session-token", Body::Wide, 40), any("FwoGZXIvYXdz", "aws-session-token", Body::Wide, 40),
    any("ABSKQmVkcm9ja", "aws-bedrock-key", Body::Wide, 40), any("bedrock-api-key-", "aws-bedrock-key", Body::Wide, 20),
    any("AIza", "gcp-api-key", Body::Word, 30), any("ya29.", "gcp-oauth-token", Body::Dotted, 20),
    any("eyJwYXlsb2Fk", "aws-ecr-password", Body::Wide, 100), any("GOCSPX-", "gcp-client-secret", Body::Word, 20), word("1//0", "gcp-refresh-token", Body::Word, 40),
    any("dop_v1_", "digitalocean-token", Body::Hex, 40), any("doo_v1_", "digitalocean-token", Body::Hex, 40),
    any("dor_v1_", "digitalocean-token", Body::Hex, 40), any("HRKU-", "heroku-key", Body::Word, 30),
    any("fo1_", "fly-token", Body::Word, 30), any("fm1_", "fly-token", Body::Wide, 40),
    any("fm1a_", "fly-token", Body::Wide, 40), any("fm1r_", "fly-token", Body::Wide, 40), any("fm2_", "fly-token", Body::Wide, 40),
    any("nfp_", "netlify-token", Body::Alnum, 30), any("vercel_blob_rw_", "vercel-token", Body::Word, 20),
    any("sbp_", "supabase-token", Body::Word, 32), any("sb_secret_", "supabase-token", Body::Word, 20),
    any("napi_", "neon-token", Body::Alnum, 40), any("pscale_tkn_", "planetscale-token", Body::Dotted, 30),
    any("pscale_pw_", "planetscale-token", Body::Dotted, 30), any("pscale_oauth_", "planetscale-token", Body::Dotted, 30),
    any("dapi", "databricks-token", Body::Hex, 32), word("LTAI", "alibaba-key", Body::Alnum, 16),
    word("AKID", "tencent-key", Body::Alnum, 32), any("AQVN", "yandex-key", Body::Word, 34), any("t1.9eu", "yandex-token", Body::Wide, 40),
    any("tskey-", "tailscale-key", Body::Word, 20), any("cfut_", "cloudflare-token", Body::Word, 30),
    any("cfat_", "cloudflare-token", Body::Word, 30), any("cfk_", "cloudflare-token", Body::Word, 30), any("v1.0-", "cloudflare-ca-key", Body::Hex, 140),
    // Vaults and monitoring.
    word("s.", "vault-token", Body::Alnum, 24), any("hvs.", "vault-token", Body::Word, 20), any("hvb.", "vault-token", Body::Word, 20), any("hvr.", "vault-token", Body::Word, 20),
    any("ops_eyJ", "1password-token", Body::Wide, 40), any("AGE-SECRET-KEY-1", "age-key", Body::Upper, 40),
    word("SK", "twilio-key", Body::Hex, 32), any("NRAK-", "newrelic-key", Body::Alnum, 24), any("NRII-", "newrelic-key", Body::Word, 24),
    any("NRJS-", "newrelic-key", Body::Alnum, 19), any("NRRA-", "newrelic-key", Body::Alnum, 24),
    any("glsa_", "grafana-token", Body::Word, 30), any("glc_", "grafana-token", Body::Wide, 30), any("eyJrIjoi", "grafana-token", Body::Wide, 40),
    any("sntrys_", "sentry-token", Body::Wide, 40), any("sntryu_", "sentry-token", Body::Hex, 40),
    any("dt0c01.", "dynatrace-token", Body::Dotted, 40), any("dt0s01.", "dynatrace-token", Body::Dotted, 40),
    any("phx_", "posthog-key", Body::Word, 30), any("ddp_", "datadog-token", Body::Alnum, 30),
    // Chat, mail, payment, shops.
    any("xoxb-", "slack-token", Body::Word, 16), any("xoxp-", "slack-token", Body::Word, 16), any("xoxa-", "slack-token", Body::Word, 16),
    any("xoxr-", "slack-token", Body::Word, 16), any("xoxs-", "slack-token", Body::Word, 16), any("xoxc-", "slack-token", Body::Word, 16),
    any("xoxd-", "slack-token", Body::Wide, 16), any("xoxo-", "slack-token", Body::Word, 16), any("xoxe-", "slack-token", Body::Word, 16),
    any("xoxe.", "slack-token", Body::Dotted, 16), any("xapp-", "slack-token", Body::Word, 16), any("xwfp-", "slack-token", Body::Word, 16),
    any("SG.", "sendgrid-key", Body::Dotted, 40), word("key-", "mailgun-key", Body::Hex, 32), any("pubkey-", "mailgun-key", Body::Hex, 32),
    any("xkeysib-", "brevo-key", Body::Word, 40), any("xsmtpsib-", "brevo-key", Body::Word, 40),
    any("sk_live_", "stripe-key", Body::Alnum, 10), any("sk_test_", "stripe-key", Body::Alnum, 10),
    any("rk_live_", "stripe-key", Body::Alnum, 10), any("rk_test_", "stripe-key", Body::Alnum, 10),
    any("whsec_", "webhook-secret", Body::Wide, 16), any("sq0atp-", "square-token", Body::Word, 20), any("sq0csp-", "square-token", Body::Word, 30),
    any("EAAAE", "square-token", Body::Word, 50), any("EAACEdEose0cBA", "facebook-token", Body::Alnum, 20), word("EAA", "facebook-token", Body::Alnum, 90),
    any("shpat_", "shopify-token", Body::Hex, 24), any("shpca_", "shopify-token", Body::Hex, 24),
    any("shppa_", "shopify-token", Body::Hex, 24), any("shpss_", "shopify-token", Body::Hex, 24), any("shpua_", "shopify-token", Body::Hex, 24),
    any("shippo_live_", "shippo-token", Body::Hex, 30), any("shippo_test_", "shippo-token", Body::Hex, 30),
    any("rzp_live_", "razorpay-key", Body::Alnum, 14), any("FLWSECK", "flutterwave-key", Body::Word, 20), any("access_token$production$", "braintree-token", Body::Wide, 30),
    any("EZAK", "easypost-key", Body::Alnum, 40), any("EZTK", "easypost-key", Body::Alnum, 40), any("aio_", "adafruit-key", Body::Alnum, 24),
    // Models.
    word("sk-ant-", "anthropic-key", Body::Word, 20), word("sk-proj-", "openai-key", Body::Word, 20), word("sk-svcacct-", "openai-key", Body::Word, 20),
    word("sk-admin-", "openai-key", Body::Word, 20), word("sk-or-", "openrouter-key", Body::Word, 20), word("sk-", "openai-key", Body::Word, 30),
    any("gsk_", "groq-key", Body::Alnum, 30), word("xai-", "xai-key", Body::Alnum, 40), word("hf_", "huggingface-token", Body::Alnum, 30),
    any("api_org_", "huggingface-token", Body::Alnum, 30), word("r8_", "replicate-token", Body::Alnum, 30), any("pplx-", "perplexity-key", Body::Alnum, 40),
    any("lsv2_pt_", "langsmith-key", Body::Word, 30), any("lsv2_sk_", "langsmith-key", Body::Word, 30), any("nvapi-", "nvidia-key", Body::Word, 40),
    any("tvly-", "tavily-key", Body::Word, 24), any("fw_", "fireworks-key", Body::Alnum, 22), any("csk-", "cerebras-key", Body::Alnum, 40),
    // Work tools.
    any("lin_api_", "linear-key", Body::Alnum, 30), any("lin_oauth_", "linear-key", Body::Alnum, 30), any("ntn_", "notion-token", Body::Alnum, 40),
    word("secret_", "notion-token", Body::Alnum, 40), any("figd_", "figma-token", Body::Word, 30), any("figo_", "figma-token", Body::Word, 30),
    any("figu_", "figma-token", Body::Word, 30), any("PMAK-", "postman-key", Body::Hex, 50), any("dG9rO", "intercom-token", Body::Wide, 50),
    any("lookr_", "looker-key", Body::Alnum, 30), any("CFPAT-", "contentful-token", Body::Word, 40), any("tfp_", "typeform-token", Body::Dotted, 40),
    any("pnu_", "prefect-key", Body::Alnum, 36), any("rdme_", "readme-key", Body::Alnum, 60), any("duffel_live_", "duffel-token", Body::Word, 40),
    any("duffel_test_", "duffel-token", Body::Word, 40), any("ico-", "infracost-key", Body::Alnum, 32), any("fio-u-", "frameio-token", Body::Word, 50),
    any("zpka_", "zuplo-key", Body::Word, 30), any("API-", "octopus-key", Body::Upper, 26), any("s-s4t2", "intra42-secret", Body::Word, 60),
    any("sm_aat_", "sourcegraph-token", Body::Word, 16), any("sgp_", "sourcegraph-token", Body::Word, 40), any("cal_live_", "cal-key", Body::Alnum, 20),
];

/// Formats that tell by a mark inside them: the mark, what stands before it and after it.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) mark: &'static str,
    kind: &'static str,
    before: (Body, usize),
    after: (Body, usize),
}

/// The formats with an inner mark.
#[rustfmt::skip]
pub(super) const INNER: &[Inner] = &[
    Inner { mark: ":AA", kind: "telegram-token", before: (Body::Hex, 8), after: (Body::Word, 30) },
    Inner { mark: "Q~", kind: "azure-client-secret", before: (Body::Dotted, 4), after: (Body::Wide, 30) },
    Inner { mark: "-us", kind: "mailchimp-key", before: (Body::Hex, 32), after: (Body::Hex, 1) },
    Inner { mark: ".atlasv1.", kind: "terraform-token", before: (Body::Alnum, 10), after: (Body::Word, 50) },
    Inner { mark: "JQQJ99", kind: "azure-key", before: (Body::Alnum, 40), after: (Body::Alnum, 20) },
    Inner { mark: "AZDO", kind: "azure-devops-token", before: (Body::Alnum, 70), after: (Body::Alnum, 4) },
];

impl Token {
    /// The token whose prefix stands at `start`.
    pub(super) fn at(&self, source: Source<'_>, start: usize) -> Option<Found> {
        let body = start + self.prefix.len();
        if source.slice(start, body) != self.prefix.as_bytes() {
            return None;
        }
        if self.left == Left::Border && is_word(source.before(start)) {
            return None;
        }
        let mut end = source.run(body, TOKEN_BYTES_MAX, |byte| self.body.has(byte));
        // A full stop or dash at the end belongs to the sentence.
        while matches!(source.before(end), b'.' | b':' | b'-') && end > body {
            end -= 1;
        }
        if end - body < self.least || is_specimen(source.slice(body, end)) {
            return None;
        }
        // Formats share beginnings; the longest prefix names the kind.
        let kind = TOKENS
            .iter()
            .filter(|other| {
                source.slice(start, start + other.prefix.len()) == other.prefix.as_bytes()
            })
            .max_by_key(|other| other.prefix.len())
            .map_or(self.kind, |other| other.kind);
        Found::new(start, end, kind)
    }

    /// Which alphabet its body has, as an index below [`BODIES`].
    pub(super) fn alphabet(&self) -> usize {
        self.body as usize
    }

    /// Whether its base64 form is worth looking for: only a long prefix gives a rare one.
    pub(super) fn is_worth_decoding(&self) -> bool {
        self.left == Left::Any && self.prefix.len() >= 4
    }
}

impl Inner {
    /// The token whose mark stands at `at`.
    pub(super) fn around(&self, source: Source<'_>, at: usize) -> Option<Found> {
        let after = at + self.mark.len();
        if source.slice(at, after) != self.mark.as_bytes() {
            return None;
        }
        let (letters, least) = self.before;
        let start = source.back(at, 128, |byte| letters.has(byte));
        if at - start < least {
            return None;
        }
        let (letters, least_after) = self.after;
        let end = source.run(after, TOKEN_BYTES_MAX, |byte| letters.has(byte));
        if end - after < least_after {
            return None;
        }
        Found::new(start, end, self.kind)
    }
}

/// Whether a body is one of the all-alike specimens of documentation, such as `xxxxxxxx`.
fn is_specimen(body: &[u8]) -> bool {
    let window = body.get(..body.len().min(64)).unwrap_or_default();
    window
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.eq_ignore_ascii_case(b)))
}

/// A JSON web token, signed or encrypted, also a cut one: `eyJ` and at least one further part. Where
/// there is none, says up to where there cannot be one either.
pub(super) fn web_token(source: Source<'_>, start: usize) -> Result<Found, usize> {
    if source.slice(start, start + 3) != b"eyJ" {
        return Err(start);
    }
    let part = |byte: u8| Body::Word.has(byte);
    let head = source.run(start, TOKEN_BYTES_MAX, part);
    let body = source.run(head + 1, TOKEN_BYTES_MAX, part);
    if head - start < 12 || source.at(head) != b'.' || body - head < 9 {
        return Err(head);
    }
    let end = source.run(body, TOKEN_BYTES_MAX, |byte| {
        Body::Dotted.has(byte) || byte == b'='
    });
    Ok(Found {
        start,
        end,
        kind: "jwt",
    })
}

/// How a Discord bot token may begin: the base64 of an account number.
pub(super) const DISCORD: &[&str] = &["MT", "Mj", "Mz", "ND", "NT", "Nj", "Nz", "OD", "OT"];

/// A Discord bot token: account, time and signature between full stops.
pub(super) fn discord(source: Source<'_>, start: usize) -> Option<Found> {
    if !matches!(source.at(start), b'M' | b'N' | b'O') || is_word(source.before(start)) {
        return None;
    }
    let part = |from: usize| source.run(from, 128, |byte| Body::Word.has(byte));
    let account = part(start);
    let time = part(account + 1);
    let end = part(time + 1);
    let dots = source.at(account) == b'.' && source.at(time) == b'.';
    let sized = (22..=30).contains(&(account - start))
        && (6..=8).contains(&(time - account))
        && end - time > 26;
    if dots && sized {
        Found::new(start, end, "discord-token")
    } else {
        None
    }
}
