//! Login, consent, accounts and logout in a browser that runs no scripts.

use system_tests::browser::Site;

use super::{World, value};

#[tokio::test]
async fn a_user_logs_in_and_out_without_scripts() {
    let world = World::without_scripts().await;
    let noticed = Site::serve(
        "<!doctype html><p id=\"is\">off</p><script>document.getElementById('is').textContent = 'on'</script>",
    );
    world.browser.open(&format!("http://localhost:{}/", noticed.address.port())).await;
    world.browser.shows("#is", "off").await;
    world.browser.open(&world.request(&[("state", "one")])).await;
    world.browser.appears("#username").await;
    world.log_in_by_keyboard().await;
    world.browser.appears("button[value=allow]").await;
    world.browser.click("button[value=allow]").await;
    assert_eq!(value(&world.at_client().await, "state"), "one");
    // A form that no script sends: the user does.
    world.browser.open(&world.request(&[("response_mode", "form_post"), ("state", "two")])).await;
    world.browser.click("#form-post button").await;
    assert!(value(&world.at_client().await, "code").is_empty(), "in the body, not in the URL");
    world.browser.open(&world.request(&[("prompt", "select_account"), ("state", "three")])).await;
    world.browser.click("button[name=account]").await;
    assert_eq!(value(&world.at_client().await, "state"), "three");
    world.browser.open(&format!("{}/oauth2/logout", world.base)).await;
    world.browser.click("button[value=logout]").await;
    world.browser.shows("h1", "You are signed out").await;
}
