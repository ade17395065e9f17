// Sends a response to the application (form_post); without scripts the user presses the button.
document.getElementById("form-post")?.submit();
