//! What one notification says and offers. Desktops show few buttons, so a choice among many accounts is a row of
//! notifications, one account each.

use super::super::text::{Text, account_name, without_markup};
use super::super::{ACCOUNTS_SHOWN_MAX, Account, Decision, Offer, Question};

/// Accounts that fit on one page beside Deny: GNOME shows three buttons and no more.
const ACCOUNTS_ON_PAGE_MAX: usize = 2;

/// One notification.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) text: Text,
    pub(super) buttons: Vec<Button>,
}

/// A button.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Button {
    pub(super) action: Action,
    pub(super) label: String,
}

/// What pressing a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Decide(Decision),
    ShowNextPage,
}

impl Button {
    /// What the notification daemon calls the button. Buttons with the same key do the same, on whichever page.
    pub(super) fn key(&self) -> String {
        match self.action {
            Action::Decide(Decision::Chosen(index)) => format!("account-{index}"),
            Action::Decide(Decision::Declined) => "deny".to_owned(),
            Action::Decide(Decision::Approved | Decision::Verified | Decision::NotVerified) => {
                "approve".to_owned()
            }
            Action::ShowNextPage => "next".to_owned(),
        }
    }

    fn new(action: Action, label: &str) -> Self {
        Self {
            action,
            label: label.to_owned(),
        }
    }

    fn approve() -> Self {
        Self::new(Action::Decide(Decision::Approved), "Approve")
    }

    fn deny() -> Self {
        Self::new(Action::Decide(Decision::Declined), "Deny")
    }

    fn next() -> Self {
        Self::new(Action::ShowNextPage, "Another account")
    }

    fn account(index: usize, account: &Account) -> Self {
        let action = Action::Decide(Decision::Chosen(index));
        Self::new(action, &without_markup(&account_name(account)))
    }
}

/// The pages of a question, at least one; nothing where a notification cannot ask it.
pub(super) fn pages(question: &Question) -> Option<Vec<Page>> {
    let text = Text::for_question(question);
    let single = |buttons| {
        Some(vec![Page {
            text: text.clone(),
            buttons,
        }])
    };
    match question.offer() {
        Offer::Approval => single(vec![Button::approve(), Button::deny()]),
        Offer::Refusal => single(vec![Button::deny()]),
        Offer::PinEntry => None,
        Offer::Choice(accounts) if accounts.len() <= ACCOUNTS_ON_PAGE_MAX => {
            let buttons = accounts
                .iter()
                .enumerate()
                .map(|(index, account)| Button::account(index, account));
            single(buttons.chain([Button::deny()]).collect())
        }
        Offer::Choice(accounts) => {
            let shown = accounts.len().min(ACCOUNTS_SHOWN_MAX);
            let page = |(index, account): (usize, &Account)| Page {
                text: Text {
                    sentence: format!(
                        "{} Account {} of {shown}: {}.",
                        text.sentence,
                        index + 1,
                        account_name(account)
                    ),
                    ..text.clone()
                },
                buttons: vec![Button::account(index, account), Button::next(), Button::deny()],
            };
            Some(accounts.iter().take(shown).enumerate().map(page).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{accounts, sign_in};
    use super::*;

    fn choice(count: usize) -> Vec<Page> {
        let question = Question {
            accounts: accounts(count),
            ..sign_in()
        };
        pages(&question).unwrap()
    }

    fn labels(page: &Page) -> Vec<&str> {
        page.buttons.iter().map(|button| button.label.as_str()).collect()
    }

    #[test]
    fn two_accounts_are_two_buttons() {
        let [page] = choice(2).try_into().unwrap();
        assert_eq!(page.text.sentence, "Sign in to example.com?");
        assert_eq!(labels(&page), ["user1", "user2", "Deny"]);
    }

    #[test]
    fn more_accounts_have_a_page_each_and_none_has_more_than_three_buttons() {
        let pages = choice(3);
        assert_eq!(pages.len(), 3);
        let [_, second, _] = pages.as_slice() else {
            panic!("{pages:?}")
        };
        assert_eq!(
            second.text.sentence,
            "Sign in to example.com? Account 2 of 3: user2."
        );
        assert_eq!(labels(second), ["user2", "Another account", "Deny"]);
        let keys: Vec<String> = second.buttons.iter().map(Button::key).collect();
        assert_eq!(keys, ["account-1", "next", "deny"]);
    }

    #[test]
    fn there_is_an_end_to_the_pages() {
        assert_eq!(choice(1000).len(), ACCOUNTS_SHOWN_MAX);
    }

    #[test]
    fn one_account_is_no_choice() {
        let [page] = choice(1).try_into().unwrap();
        assert_eq!(labels(&page), ["Approve", "Deny"]);
    }
}
